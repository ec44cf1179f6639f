import type { Fields } from '../../model/json.ts';
import { misuse, shown } from '../misuse.ts';
import { type FailureArguments, failureOf, StepHandler, StepHandlerResult } from '../step-handler.ts';
import { applyMixin, withMembers, withMixins } from '../with-mixins.ts';
import { checkedNames, DecisionPointOutcome, DecisionType } from './decision.ts';

/** The methods of a handler that decides which steps come next. */
export interface DecisionCapable {
  /** The name of the handler. */
  readonly name: string;
  readonly version: string;
  /** Creates these steps. `routingContext` is stored in the result, where the created steps can read it. */
  decisionSuccess(steps: readonly string[], routingContext?: object, metadata?: Fields): StepHandlerResult;
  /** Creates the steps of an outcome. Creates none if the outcome has none. */
  decisionSuccess(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult;
  /** Same as `decisionSuccess(outcome, metadata)`. */
  decisionSuccessWithOutcome(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult;
  /** Creates no steps. Takes a reason, or an outcome from `DecisionPointOutcome.noBranches`. */
  decisionNoBranches(outcomeOrReason?: DecisionPointOutcome | string, metadata?: Fields): StepHandlerResult;
  /** Same as `decisionSuccess(steps, routingContext, metadata)`. */
  routeToSteps(steps: readonly string[], routingContext?: object, metadata?: Fields): StepHandlerResult;
  /** Creates no steps, and stores the reason. */
  skipBranches(reason: string, routingContext?: object, metadata?: Fields): StepHandlerResult;
  /**
   * Fails the step because no decision is possible. No steps are created. Takes the arguments of `failure`. By default,
   * the failure is permanent and of type `decision_error`.
   */
  decisionFailure(...args: FailureArguments): StepHandlerResult;
}

/**
 * Decisions for a handler. The handler chooses the template steps that are created when its own step is complete.
 *
 * @example
 * class RouteOrder extends withMixins(StepHandler, DecisionMixin) {
 *   static override handlerName = 'route_order';
 *
 *   call(context: StepContext) {
 *     const amount = context.getInputOr('amount', 0);
 *     return this.decisionSuccess([amount < 1000 ? 'auto_approve' : 'manager_approval'], { amount });
 *   }
 * }
 */
export class DecisionMixin extends withMembers<DecisionCapable>({
  get name() {
    const { handlerName, name } = this.constructor as { handlerName?: string; name: string };
    return handlerName || name;
  },
  get version() {
    return (this.constructor as { handlerVersion?: string }).handlerVersion ?? '1.0.0';
  },
  decisionSuccess,
  decisionSuccessWithOutcome: decisionSuccess,
  decisionNoBranches,
  routeToSteps: decisionSuccess,
  skipBranches,
  decisionFailure,
}) {
  get capabilities(): string[] {
    return ['decision', 'routing'];
  }
}

/**
 * Adds the methods of {@link DecisionMixin} to a handler, in its constructor. Existing members are kept.
 *
 * @example
 * class RouteOrder extends StepHandler {
 *   static override handlerName = 'route_order';
 *   readonly decide = applyDecision(this);
 *
 *   call() {
 *     return this.decide.decisionSuccess(['auto_approve']);
 *   }
 * }
 */
export function applyDecision<Target extends object>(target: Target): Target & DecisionCapable {
  return applyMixin(target, DecisionMixin);
}

/**
 * The base class of handlers for `decision` steps: a `StepHandler` with the methods of `DecisionMixin`.
 *
 * @example
 * class ApprovalRouter extends DecisionHandler {
 *   static override handlerName = 'approval_router';
 *
 *   call(context: StepContext) {
 *     const amount = context.getInputOr('amount', 0);
 *     if (amount === 0) return this.skipBranches('nothing to approve');
 *     return this.decisionSuccess([amount < 1000 ? 'auto_approve' : 'manager_approval']);
 *   }
 * }
 */
export abstract class DecisionHandler extends withMixins(StepHandler, DecisionMixin) {}

/** The handler that decides. Stored with each decision. */
export interface Decider {
  readonly name: string;
  readonly version: string;
}

/** The argument forms of a decision: step names with a routing context, or an outcome. */
export type DecisionArguments =
  | [steps: readonly string[], routingContext?: object, metadata?: Fields]
  | [outcome: DecisionPointOutcome, metadata?: Fields];

// Methods of the mixin. `this` is the handler that decides.

/** Returns the result of a decision, in the form that the engine reads. */
export function decisionSuccess(this: Decider, ...args: DecisionArguments): StepHandlerResult {
  if (!isSteps(args)) return resultOf(this, ...args);
  const [steps, routingContext = {}, metadata] = args;
  return resultOf(this, DecisionPointOutcome.createSteps(steps, { routingContext }), metadata);
}

/** Returns the result of a decision that creates no steps, from a reason or an outcome. */
export function skipBranches(
  this: Decider,
  given?: string | DecisionPointOutcome,
  routingContext?: object,
  metadata?: Fields,
): StepHandlerResult {
  const outcome =
    typeof given === 'object' ? given : DecisionPointOutcome.noBranches({ reason: given, routingContext });
  if (outcome.decisionType === DecisionType.CREATE_STEPS) {
    throw misuse(
      `decision: decisionNoBranches received an outcome with steps; pass such an outcome to decisionSuccess`,
    );
  }
  return resultOf(this, outcome, metadata);
}

/** Like {@link skipBranches}, without a routing context. */
export function decisionNoBranches(this: Decider, given?: string | DecisionPointOutcome, metadata?: Fields) {
  return skipBranches.call(this, given, undefined, metadata);
}

/** Returns the failure of a decision. By default it is permanent and of type `decision_error`. */
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
      // Stored under two keys, because readers of decisions use either.
      return {
        decision_point_outcome: { type: decisionType },
        ...(reason ? { reason, skip_reason: reason } : {}),
      };
  }
  // Only JavaScript callers can reach this line.
  throw misuse(`decision: the outcome must be create_steps or no_branches, not ${shown(decisionType)}`);
}

/** Returns the stored form of the routing context, or null if it is empty. API responses are stored without cookies. */
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
