import { StepHandler } from '../step-handler.ts';
import { withMixins } from '../with-mixins.ts';
import { DecisionMixin } from './decision-mixin.ts';

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
