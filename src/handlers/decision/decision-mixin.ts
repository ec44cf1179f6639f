import type { Fields } from '../../model/fields.ts';
import type { FailureArguments, StepHandlerResult } from '../step-handler-result.ts';
import { applyMixin } from '../with-mixins.ts';
import type { DecisionPointOutcome } from './decision-point-outcome.ts';
import { type DecisionArguments, decisionResult, failedDecision, noBranchesResult } from './decision-result.ts';

/** What a handler can do that decides which steps come next. */
export interface DecisionCapable {
  readonly name: string;
  readonly version: string;
  decisionSuccess(steps: readonly string[], routingContext?: object, metadata?: Fields): StepHandlerResult;
  decisionSuccess(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult;
  decisionSuccessWithOutcome(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult;
  decisionNoBranches(outcomeOrReason?: DecisionPointOutcome | string, metadata?: Fields): StepHandlerResult;
  routeToSteps(steps: readonly string[], routingContext?: object, metadata?: Fields): StepHandlerResult;
  skipBranches(reason: string, routingContext?: object, metadata?: Fields): StepHandlerResult;
  decisionFailure(...args: FailureArguments): StepHandlerResult;
}

/**
 * Decisions for a handler: which steps of the template are created once this one is complete.
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
export class DecisionMixin implements DecisionCapable {
  /** The name of the handler class. */
  get name(): string {
    const { handlerName, name } = this.constructor as { handlerName?: string; name: string };
    return handlerName || name;
  }

  get version(): string {
    return (this.constructor as { handlerVersion?: string }).handlerVersion ?? '1.0.0';
  }

  get capabilities(): string[] {
    return ['decision', 'routing'];
  }

  /** Creates these steps; `routingContext` is stored beside them, where they can read it. */
  decisionSuccess(steps: readonly string[], routingContext?: object, metadata?: Fields): StepHandlerResult;
  /** Creates the steps of an outcome, or none if it has none. */
  decisionSuccess(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult;
  decisionSuccess(...args: DecisionArguments): StepHandlerResult {
    return decisionResult(this, args);
  }

  /** The same as `decisionSuccess(outcome, metadata)`. */
  decisionSuccessWithOutcome(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult {
    return decisionResult(this, [outcome, metadata]);
  }

  /** Creates nothing: the reason, or an outcome of `DecisionPointOutcome.noBranches`. */
  decisionNoBranches(outcomeOrReason?: DecisionPointOutcome | string, metadata?: Fields): StepHandlerResult {
    return noBranchesResult(this, outcomeOrReason, { metadata });
  }

  /** The same as `decisionSuccess(steps, routingContext, metadata)`. */
  routeToSteps(steps: readonly string[], routingContext?: object, metadata?: Fields): StepHandlerResult {
    return decisionResult(this, [steps, routingContext, metadata]);
  }

  /** Creates nothing, and stores why. */
  skipBranches(reason: string, routingContext?: object, metadata?: Fields): StepHandlerResult {
    return noBranchesResult(this, reason, { routingContext, metadata });
  }

  /**
   * No decision could be made: nothing is created and the step fails. Written as `failure` is; unless it says otherwise
   * it is permanent and of type `decision_error`.
   */
  decisionFailure(...args: FailureArguments): StepHandlerResult {
    return failedDecision(this, args);
  }
}

/**
 * Gives a handler the methods of {@link DecisionMixin}, in its constructor. What it has already stays.
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
