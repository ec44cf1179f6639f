import { approvalJson } from '../../app/json/acts.ts';
import type { Approval } from '../../app/operator-types.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { quoted } from '../conditions.ts';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { fields, spanOf, table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';
import { endText } from './list.ts';

/** `tasker approval show`: shows an approval with its votes. */
export async function approvalShow(task: string, step: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const approval = await tasker.approvals.get(task, step);
    if (options.json) return printJson(approvalJson(approval));
    print(approvalText(approval, Date.now()));
  });
}

/** Returns the lines that show an approval. */
export function approvalText(approval: Approval, now: number): string {
  const { taskUuid, step, votes, status } = approval;
  const open = status === 'open';
  const next = ['approve', 'reject']
    .map((verb) => `npx tasker approval ${verb} ${taskUuid} ${quoted(step)}`)
    .join('\n');
  return [
    facts(approval, now),
    ...(votes.length > 0 ? ['', votesTable(approval)] : []),
    ...(open ? ['', next] : []),
  ].join('\n');
}

function facts(approval: Approval, now: number): string {
  const { taskUuid, step, title, namespace, name, version, status, assignees, quorum, rejectQuorum, form } = approval;
  const ago = (at: string) => `${at}, ${spanOf(now - Date.parse(at))} ago`;
  return fields([
    ['title', pc.bold(title)],
    ['task', taskUuid],
    ['template', `${namespace}/${name}@${version}`],
    ['step', step],
    ['status', status === 'open' ? pc.yellow('open') : endText(approval, now)],
    ['paused', approval.paused ? 'votes count, but later steps start only after a resume' : null],
    ['may vote', assignees.length === 0 ? 'everyone' : assignees.join(', ')],
    ['approvals', `${approval.approvals} of ${quorum}`],
    ['rejections', `${approval.rejections} of ${rejectQuorum}`],
    ['since', ago(approval.since)],
    ['reminded', approval.remindedAt && ago(approval.remindedAt)],
    ['escalated', approval.escalatedAt && ago(approval.escalatedAt)],
    ['limit', approval.until && `${approval.until}${status === 'open' ? `, ${endText(approval, now)}` : ''}`],
    ['ended', approval.endedAt && ago(approval.endedAt)],
    ['form', form && JSON.stringify(form)],
  ]);
}

function votesTable({ votes }: Approval): string {
  const rows = votes.map(({ by, decision, at, comment, form, as, changes }) => [
    `${by}${as !== null && as !== by ? pc.dim(` as ${as}`) : ''}`,
    `${decision === 'approve' ? pc.green('approve') : pc.red('reject')}${changes > 0 ? pc.dim(' (changed)') : ''}`,
    `${at.slice(0, 19)}Z`,
    [comment, form === null ? null : JSON.stringify(form)].filter((word) => word !== null).join(' '),
  ]);
  return table(['vote of', 'decision', 'at', 'comment and form'], rows);
}
