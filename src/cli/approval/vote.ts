import { approvalJson } from '../../app/json/acts.ts';
import type { Approval } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import { operatorFrom } from '../operator.ts';
import { readInput } from '../read-input.ts';
import { note, printJson } from '../show/output.ts';
import { withTasker } from '../with-tasker.ts';
import { type ManyOptions, namedApproval, onFound } from './many.ts';

interface VoteOptions extends ManyOptions {
  by?: string;
  role?: string[];
  comment?: string;
  form?: string;
}

/** `tasker approval approve`: votes for an approval, or for the approvals that a filter finds. */
export const approve = voting('approve', 'approved');

/** `tasker approval reject`: votes against an approval, or against the approvals that a filter finds. */
export const reject = voting('reject', 'rejected');

function voting(decision: 'approve' | 'reject', done: string) {
  return async (task: string | undefined, step: string | undefined, options: VoteOptions): Promise<void> => {
    const one = namedApproval(task, step, options);
    const { role, comment } = options;
    const form = options.form === undefined ? undefined : await readInput(options.form, '--form');
    const vote = { decision, by: operatorFrom(options).actor, roles: role, comment, form };
    if (one) return voteOn(one, vote, options);
    await onFound(options, {
      verb: decision,
      done,
      act: (tasker, approval) => tasker.approvals.vote(approval.taskUuid, approval.step, vote),
    });
  };
}

type Vote = Parameters<Tasker['approvals']['vote']>[2];

async function voteOn(
  { task, step }: { task: string; step: string },
  vote: Vote,
  { json, ...options }: VoteOptions,
): Promise<void> {
  const { by, decision } = vote;
  await withTasker(options, {}, async (tasker) => {
    const approval = await tasker.approvals.vote(task, step, vote);
    if (json) return printJson(approvalJson(approval));
    note(`${by} ${decision === 'approve' ? 'approved' : 'rejected'} ${step}: ${outcomeText(approval)}`);
  });
}

function outcomeText({ status, approvals, quorum, rejections, rejectQuorum }: Approval): string {
  if (status !== 'open') return `it is ${status.replace('_', ' ')}, and its task continues`;
  const against = rejections === 0 ? '' : `, ${rejections} of ${rejectQuorum} rejections`;
  return `${approvals} of ${quorum} approvals${against}`;
}

interface ReassignOptions extends ManyOptions {
  to?: string[];
  everyone?: boolean;
  by?: string;
  reason?: string;
}

/** `tasker approval reassign`: changes the assignees of an approval, or of the approvals that a filter finds. */
export async function approvalReassign(
  task: string | undefined,
  step: string | undefined,
  options: ReassignOptions,
): Promise<void> {
  const one = namedApproval(task, step, options);
  const { to = [], everyone, json } = options;
  if (to.length > 0 === (everyone === true)) {
    throw new TaskerError('bad_request', 'pass --to NAME, once for each user or role, or --everyone');
  }
  const { actor, reason } = operatorFrom(options);
  const change = { to, by: actor, reason };
  if (!one) {
    return onFound(options, {
      verb: 'reassign',
      done: 'reassigned',
      act: (tasker, approval) => tasker.approvals.reassign(approval.taskUuid, approval.step, change),
    });
  }
  await withTasker(options, {}, async (tasker) => {
    const approval = await tasker.approvals.reassign(one.task, one.step, change);
    if (json) return printJson(approvalJson(approval));
    const who = approval.assignees.length === 0 ? 'everyone' : approval.assignees.join(', ');
    note(oneLine(`assignees of ${one.step}: ${who}`));
  });
}
