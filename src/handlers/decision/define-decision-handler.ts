import type { AnyInputs, DependencySources, HandlerArgs, None } from '../handler-arguments.ts';
import { type HandlerOptions, handlerOfFunction } from '../handler-of-function.ts';
import { misuse, shown } from '../misuse.ts';
import { resultOfReturn } from '../outcome.ts';
import { isStepHandlerResult, type StepHandlerClass, type StepHandlerResult } from '../step-handler.ts';

import { type Decision, type DecisionPointOutcome, outcomeOfDecision } from './decision.ts';

import { type Decider, decisionSuccess } from './decision-mixin.ts';
import { routedSteps } from './routed-steps.ts';

/** The return value of a decision handler's function. A promise is also accepted. */
export type DecisionReturn = Decision | DecisionPointOutcome | StepHandlerResult | { decision_point_outcome: object };

/**
 * Defines the handler of a `decision` step as a function, with the options and arguments of `defineHandler`. The
 * function returns `Decision.route(steps, routingContext?)` or `Decision.skip(reason, routingContext?)`. Anything else
 * fails the step permanently, because an unknown value must not be mistaken for a decision to create no steps.
 *
 * @example
 * const route = defineDecisionHandler(
 *   'route_order',
 *   { inputs: { amount: z.number().default(0) } },
 *   ({ amount }) => (amount === 0 ? Decision.skip('nothing to approve') : Decision.route(['manager_approval'])),
 * );
 */
export function defineDecisionHandler<
  const Inputs extends AnyInputs = None,
  const Depends extends DependencySources = None,
>(
  name: string,
  options: HandlerOptions<Inputs, Depends>,
  fn: (args: HandlerArgs<Inputs, Depends>) => DecisionReturn | Promise<DecisionReturn>,
): StepHandlerClass {
  const decider = { name, version: options.version ?? '1.0.0' };
  return handlerOfFunction({
    name,
    options,
    fn,
    capabilities: ['process', 'decision', 'routing'],
    routes: () => routedSteps(fn),
    resultOf: (returned) => resultOfDecision(returned, decider),
  });
}

function resultOfDecision(returned: unknown, decider: Decider): StepHandlerResult {
  if (isStepHandlerResult(returned)) return returned;
  const outcome = outcomeOfDecision(returned) ?? (isOutcome(returned) ? returned : null);
  if (outcome) return decisionSuccess.call(decider, outcome);
  // A result written by hand, which may have other keys next to the outcome.
  if (typeof returned === 'object' && returned !== null && 'decision_point_outcome' in returned) {
    return resultOfReturn(returned);
  }
  throw misuse(
    `decision ${decider.name}: its function returned ${shown(returned)}; return Decision.route([…]) or Decision.skip('…')`,
  );
}

function isOutcome(value: unknown): value is DecisionPointOutcome {
  return typeof value === 'object' && value !== null && 'decisionType' in value;
}
