import type { OperatorOptions } from '../engine/operator-actions.ts';
import {
  type Approval,
  type ApprovalFilter,
  type ApprovalPage,
  type ApprovalPageOptions,
  findApprovals,
} from '../engine/waits/approval-view.ts';
import { type ReassignRequest, reassign, showApproval, type VoteRequest, vote } from '../engine/waits/approvals.ts';
import type { BulkParts } from './tasker-bulk.ts';

/**
 * The approvals that steps of type `approval` wait for. Available as `tasker.approvals`.
 *
 * @example
 * const { approvals } = await tasker.approvals.list({ assignee: 'anna' }, { limit: 20 });
 * for (const { taskUuid, step, title } of approvals) console.log(taskUuid, step, title);
 * await tasker.approvals.vote(approvals[0]!.taskUuid, approvals[0]!.step, { decision: 'approve', by: 'anna' });
 */
export class TaskerApprovals {
  readonly #parts: BulkParts;

  /** @internal */
  constructor(parts: BulkParts) {
    this.#parts = parts;
  }

  /**
   * Returns a page of the open approvals, oldest first. With `task`, returns all approvals of that task, including
   * ended approvals.
   *
   * @example
   * const page = await tasker.approvals.list({ assignee: 'managers', namespace: 'shop' });
   * const next = await tasker.approvals.list({ assignee: 'managers' }, { cursor: page.nextCursor ?? undefined });
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  list(filter: ApprovalFilter = {}, page: ApprovalPageOptions = {}): Promise<ApprovalPage> {
    return findApprovals(this.#parts.engine.database, filter, page);
  }

  /**
   * Returns the approval of a step, by the name or id of the step, with all votes.
   *
   * @example
   * const { status, approvals, quorum, votes } = await tasker.approvals.get(taskUuid, 'sign_off');
   * @throws TaskerError `illegal_transition` if the step is not an approval or does not wait for votes yet, `bad_request`,
   * `task_not_found`, `step_not_found`, `invalid_uuid`
   */
  get(taskUuid: string, step: string): Promise<Approval> {
    return showApproval(this.#parts.engine, { taskUuid, step });
  }

  /**
   * Votes on an approval, and returns it. The vote that reaches the quorum completes the step in the same transaction.
   * Each person has one vote, and can change it until the decision. A repeated deciding vote changes nothing.
   *
   * `by` or one of the `roles` must be among the assignees. The caller must authenticate the person: tasker only
   * compares names.
   *
   * @example
   * const { status } = await tasker.approvals.vote(taskUuid, 'sign_off', {
   *   decision: 'reject', by: 'anna', roles: ['managers'], comment: 'over budget',
   * });
   * @throws TaskerError `forbidden` if the person may not vote; `wait_over` if the approval was decided, timed out, or
   * its task was cancelled; `bad_request` if the form does not match its schema; and the errors of {@link get}
   */
  async vote(taskUuid: string, step: string, request: VoteRequest): Promise<Approval> {
    const approval = await vote(this.#parts.engine, { taskUuid, step }, request);
    if (approval.status !== 'open') this.#parts.changed(approval.taskUuid);
    return approval;
  }

  /**
   * Changes the assignees, and returns the approval. Votes of people who are no longer assignees are dropped. The audit
   * records the change as `approval_reassign`.
   *
   * @example
   * await tasker.approvals.reassign(taskUuid, 'sign_off', { to: ['bob', 'managers'], by: 'anna', reason: 'on holiday' });
   * @throws TaskerError `wait_over`, `bad_request`, and the errors of {@link get}
   */
  reassign(taskUuid: string, step: string, request: ReassignRequest): Promise<Approval> {
    const options: OperatorOptions = this.#parts.by({});
    return reassign(this.#parts.engine, { taskUuid, step }, request, options);
  }
}
