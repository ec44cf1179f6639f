import { DecisionHandler, DecisionPointOutcome, type StepContext, type StepHandlerResult } from 'tasker-core';

/** Chooses the approvers by the amount. */
export class ApprovalRouter extends DecisionHandler {
  static override readonly handlerName = 'approval.router';
  static readonly thresholds = { auto: 1000, manager: 5000 };

  override call(context: StepContext): StepHandlerResult {
    const amount = context.getInputOr<number>('amount', 0);
    return this.decisionSuccess(DecisionPointOutcome.createSteps(approversOf(amount)));
  }
}

function approversOf(amount: number): string[] {
  const { auto, manager } = ApprovalRouter.thresholds;
  if (amount < auto) return ['auto_approve'];
  if (amount < manager) return ['manager_approval'];
  return ['manager_approval', 'finance_review'];
}
