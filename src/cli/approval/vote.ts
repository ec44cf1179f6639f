import { approvalJson } from '../../app/json/acts.ts';
import type { Approval } from '../../app/operator-types.ts';
import { TaskerError } from '../../errors.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import { operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { readInput } from '../read-input.ts';
import { note, printJson } from '../show/output.ts';
import { withTasker } from '../with-tasker.ts';

interface VoteOptions extends GlobalOptions {
  by?: string;
  role?: string[];
  comment?: string;
  form?: string;
}

/** `tasker approval approve`: votes for an approval. */
export const approve = (task: string, step: string, options: VoteOptions) => voteOn('approve', { task, step }, options);

/** `tasker approval reject`: votes against an approval. */
export const reject = (task: string, step: string, options: VoteOptions) => voteOn('reject', { task, step }, options);

async function voteOn(
  decision: 'approve' | 'reject',
  { task, step }: { task: string; step: string },
  options: VoteOptions,
): Promise<void> {
  const { role, comment, json } = options;
  const form = options.form === undefined ? undefined : await readInput(options.form, '--form');
  await withTasker(options, {}, async (tasker) => {
    const by = operatorFrom(options).actor;
    const approval = await tasker.approvals.vote(task, step, { decision, by, roles: role, comment, form });
    if (json) return printJson(approvalJson(approval));
    note(`${by} ${decision === 'approve' ? 'approved' : 'rejected'} ${step}: ${outcomeText(approval)}`);
  });
}

function outcomeText({ status, approvals, quorum, rejections, rejectQuorum }: Approval): string {
  if (status !== 'open') return `it is ${status.replace('_', ' ')}, and its task continues`;
  const against = rejections === 0 ? '' : `, ${rejections} of ${rejectQuorum} rejections`;
  return `${approvals} of ${quorum} approvals${against}`;
}

interface ReassignOptions extends GlobalOptions {
  to?: string[];
  everyone?: boolean;
  by?: string;
  reason?: string;
}

/** `tasker approval reassign`: changes the assignees. */
export async function approvalReassign(task: string, step: string, options: ReassignOptions): Promise<void> {
  const { to = [], everyone, json } = options;
  if (to.length > 0 === (everyone === true)) {
    throw new TaskerError('bad_request', 'pass --to NAME, once for each user or role, or --everyone');
  }
  await withTasker(options, {}, async (tasker) => {
    const { actor, reason } = operatorFrom(options);
    const approval = await tasker.approvals.reassign(task, step, { to, by: actor, reason });
    if (json) return printJson(approvalJson(approval));
    const who = approval.assignees.length === 0 ? 'everyone' : approval.assignees.join(', ');
    note(oneLine(`assignees of ${step}: ${who}`));
  });
}
