import type { Fields } from '../../model/fields.ts';
import { misuse, shown } from '../misuse.ts';
import { type FailureArguments, failureOf, StepHandlerResult } from '../step-handler-result.ts';
import { checkedNames, DecisionPointOutcome, DecisionType } from './decision-point-outcome.ts';

/** Who decides; stored with each decision. */
export interface Decider {
  readonly name: string;
  readonly version: string;
}

/** How a decision with branches is written: the names with their routing context, or an outcome. */
export type DecisionArguments =
  | [steps: readonly string[], routingContext?: object, metadata?: Fields]
  | [outcome: DecisionPointOutcome, metadata?: Fields];

// Methods of the mixin: `this` is the handler that decides.

/** The result of a decision, as the engine reads it. */
export function decisionSuccess(this: Decider, ...args: DecisionArguments): StepHandlerResult {
  if (!isSteps(args)) return resultOf(this, ...args);
  const [steps, routingContext = {}, metadata] = args;
  return resultOf(this, DecisionPointOutcome.createSteps(steps, { routingContext }), metadata);
}

/** The result of a decision for no branch: with the reason, or with an outcome that has it. */
export function skipBranches(
  this: Decider,
  given?: string | DecisionPointOutcome,
  routingContext?: object,
  metadata?: Fields,
): StepHandlerResult {
  const outcome =
    typeof given === 'object' ? given : DecisionPointOutcome.noBranches({ reason: given, routingContext });
  if (outcome.decisionType === DecisionType.CREATE_STEPS) {
    throw misuse(`decision: decisionNoBranches was given an outcome with steps; pass it to decisionSuccess`);
  }
  return resultOf(this, outcome, metadata);
}

/** As {@link skipBranches}, without a routing context. */
export function decisionNoBranches(this: Decider, given?: string | DecisionPointOutcome, metadata?: Fields) {
  return skipBranches.call(this, given, undefined, metadata);
}

/** The failure of a decision. Unless it says otherwise it is permanent, of type `decision_error`. */
export function decisionFailure(this: Decider, ...args: FailureArguments): StepHandlerResult {
  const { errorType = 'decision_error', errorCode = 'DECISION_ERROR', retryable = false, ...rest } = failureOf(args);
  const metadata = { ...rest.metadata, ...signature(this) };
  return StepHandlerResult.failure({ ...rest, errorType, errorCode, retryable, metadata });
}

function resultOf(decider: Decider, outcome: DecisionPointOutcome, metadata: Fields = {}): StepHandlerResult {
  const routingContext = storedContext(outcome.routingContext);
  const result = {
    ...branchesOf(outcome),
    ...(outcome.dynamicSteps === undefined ? {} : { dynamic_steps: outcome.dynamicSteps }),
    ...(routingContext === null ? {} : { routing_context: routingContext }),
  };
  return StepHandlerResult.success(result, { ...metadata, ...signature(decider) });
}

function branchesOf({ decisionType, nextStepNames, reason }: DecisionPointOutcome): Fields {
  switch (decisionType) {
    case DecisionType.CREATE_STEPS: {
      const names = checkedNames(nextStepNames);
      return { decision_point_outcome: { type: decisionType, step_names: names }, steps_created: names };
    }
    case DecisionType.NO_BRANCHES:
      // Two names for one thing: what reads decisions looks for either.
      return {
        decision_point_outcome: { type: decisionType },
        ...(reason ? { reason, skip_reason: reason } : {}),
      };
  }
  // Only JavaScript comes here.
  throw misuse(`decision: an outcome is create_steps or no_branches, not ${shown(decisionType)}`);
}

/** The context as JSON stores it, null when there is nothing in it. A response of the API mixin is told without its cookies. */
function storedContext(given: object | null | undefined): Fields | null {
  if (given === null || given === undefined) return null;
  if (typeof given !== 'object' || Array.isArray(given)) {
    throw misuse(`decision: a routing context must be an object, not ${shown(given)}`);
  }
  const context = 'toDict' in given && typeof given.toDict === 'function' ? withoutCookies(given.toDict()) : given;
  return Object.keys(context).length === 0 ? null : (context as Fields);
}

function withoutCookies(response: Fields): Fields {
  const headers = Object.entries(response.headers ?? {}).filter(([name]) => name.toLowerCase() !== 'set-cookie');
  return { ...response, headers: Object.fromEntries(headers) };
}

function signature({ name, version }: Decider): Fields {
  return { decision_handler: name, decision_version: version };
}

function isSteps(args: DecisionArguments): args is [readonly string[], object?, Fields?] {
  const [first] = args;
  if (Array.isArray(first)) return true;
  if (typeof first === 'object' && first !== null && 'decisionType' in first) return false;
  throw misuse(`decision: decisionSuccess takes a list of step names or an outcome, not ${shown(first)}`);
}
