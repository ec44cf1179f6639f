import { approvalJson } from '../../app/json/acts.ts';
import type { Approval, ApprovalFilter } from '../../app/operator-types.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import { quoted } from '../conditions.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { nextPage } from '../show/page-notes.ts';
import { counted, shortened, spanOf, table, timeLeft, upTo } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

const KEYS = ['assignee', 'namespace', 'name', 'task'] as const satisfies readonly (keyof ApprovalFilter)[];

interface ListOptions extends GlobalOptions, ApprovalFilter {
  limit: number;
  cursor?: string;
}

/** `tasker approval list`: lists open approvals. */
export async function approvalList(options: ListOptions): Promise<void> {
  const { limit, cursor, json } = options;
  const filter = filterOf(options);
  await withTasker(options, {}, async (tasker) => {
    const { approvals, nextCursor, total, totalIsExact } = await tasker.approvals.list(filter, { limit, cursor });
    if (json) {
      const page = { next_cursor: nextCursor, total, total_is_exact: totalIsExact };
      return printJson({ approvals: approvals.map(approvalJson), ...page });
    }
    const words = describeFilter(filter);
    if (approvals.length === 0) return note(whyNone(words, cursor));
    print(approvalTable(approvals, { now: Date.now(), width: thisRun().stdout.columns }));
    const all = totalIsExact ? total.toLocaleString('en') : upTo(total, total);
    const shown = total === approvals.length ? counted(total, 'approval') : `${approvals.length} of ${all} approvals`;
    note(`${shown}${words === '' ? '' : `: ${words}`}`);
    if (nextCursor === null) return;
    const conditions = Object.entries(filter).flatMap(([key, value]) => [`--${key}`, quoted(String(value))]);
    note(nextPage(nextCursor, ['approval', 'list', ...conditions, ...(limit === 20 ? [] : ['-l', String(limit)])]));
  });
}

/** Returns the filter of a command's options. */
export function filterOf(options: ApprovalFilter): ApprovalFilter {
  const given = KEYS.filter((key) => options[key] !== undefined);
  return Object.fromEntries(given.map((key) => [key, options[key]]));
}

/** Describes a filter for a person: `assignee ana, name order`. */
export function describeFilter(filter: ApprovalFilter): string {
  return oneLine(
    Object.entries(filter)
      .map(([key, value]) => `${key} ${value}`)
      .join(', '),
  );
}

function whyNone(words: string, cursor: string | undefined): string {
  if (cursor !== undefined) return 'no further approvals';
  return words === '' ? 'no open approvals' : `no approval matches: ${words}`;
}

/** Returns approvals as a table, each followed by its title. `width` is the width of the terminal. */
export function approvalTable(approvals: readonly Approval[], { now, width }: { now: number; width?: number }): string {
  const rows = approvals.map((one) => [
    one.taskUuid,
    one.step,
    `${spanOf(now - Date.parse(one.since))} ago`,
    votesText(one),
    endText(one, now),
  ]);
  const [head, ...lines] = table(['task', 'step', 'since', 'votes', 'ends'], rows).split('\n');
  const fit = (line: string) => (width === undefined ? line : shortened(line, width));
  const below = approvals.map(({ title, assignees, namespace, name, version }) => {
    const who = assignees.length === 0 ? 'everyone' : assignees.join(', ');
    return `    ${shortened(`${title} ${pc.dim(`(${who}; ${namespace}/${name}@${version})`)}`, (width ?? 200) - 4)}`;
  });
  return [fit(head!), ...lines.flatMap((line, i) => [fit(line), below[i]!])].join('\n');
}

function votesText({ approvals, quorum, rejections, rejectQuorum }: Approval): string {
  const against = rejections === 0 ? '' : pc.red(`, ${rejections}/${rejectQuorum} no`);
  return `${approvals}/${quorum} yes${against}`;
}

/** Describes when an approval ends, or how it ended. */
export function endText({ status, until, endedBy }: Approval, now: number): string {
  if (status === 'ended') return pc.dim(`ended by ${endedBy}`);
  if (status !== 'open') return status === 'approved' ? pc.green(status) : pc.red(status.replace('_', ' '));
  if (until === null) return pc.dim('-');
  const left = Date.parse(until) - now;
  return left > 0 ? `in ${timeLeft(left)}` : pc.red('overdue');
}
