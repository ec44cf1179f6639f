import type { Fields } from '../../model/fields.ts';
import { StepHandler } from '../step-handler.ts';
import type { FailureArguments, StepHandlerResult } from '../step-handler-result.ts';
import { applyMixin, withMembers, withMixins } from '../with-mixins.ts';
import type { DecisionPointOutcome } from './decision-point-outcome.ts';
import { decisionFailure, decisionNoBranches, decisionSuccess, skipBranches } from './decision-result.ts';

/** What a handler can do that decides which steps come next. */
export interface DecisionCapable {
  /** The name of the handler class. */
  readonly name: string;
  readonly version: string;
  /** Creates these steps; `routingContext` is stored beside them, where they can read it. */
  decisionSuccess(steps: readonly string[], routingContext?: object, metadata?: Fields): StepHandlerResult;
  /** Creates the steps of an outcome, or none if it has none. */
  decisionSuccess(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult;
  /** The same as `decisionSuccess(outcome, metadata)`. */
  decisionSuccessWithOutcome(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult;
  /** Creates nothing: the reason, or an outcome of `DecisionPointOutcome.noBranches`. */
  decisionNoBranches(outcomeOrReason?: DecisionPointOutcome | string, metadata?: Fields): StepHandlerResult;
  /** The same as `decisionSuccess(steps, routingContext, metadata)`. */
  routeToSteps(steps: readonly string[], routingContext?: object, metadata?: Fields): StepHandlerResult;
  /** Creates nothing, and stores why. */
  skipBranches(reason: string, routingContext?: object, metadata?: Fields): StepHandlerResult;
  /**
   * No decision could be made: nothing is created and the step fails. Written as `failure` is; unless it says otherwise
   * it is permanent and of type `decision_error`.
   */
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

/**
 * The base of handlers of `decision` steps: a `StepHandler` with the methods of `DecisionMixin`.
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
