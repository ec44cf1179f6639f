import { approvalJson } from '../../app/json/acts.ts';
import type { Approval, ApprovalFilter } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { confirmed } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson, redrawLine } from '../show/output.ts';
import { counted, table } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';
import { approvalTable, describeFilter, filterOf } from './list.ts';

/** Options of a command that acts on one approval, or on the approvals that a filter finds. */
export interface ManyOptions extends GlobalOptions, ApprovalFilter {
  dryRun?: boolean;
  yes?: boolean;
}

/** An action on an approval, and its words. */
export interface ApprovalAct {
  verb: 'approve' | 'reject' | 'reassign';
  done: string;
  act(tasker: Tasker, approval: Pick<Approval, 'taskUuid' | 'step'>): Promise<Approval>;
}

const PAGE = 1000;
const SHOWN = 10;

/**
 * Acts on each approval that the filter of a command finds: shows them, and asks for confirmation. An approval that cannot
 * be acted on does not stop the others.
 */
export async function onFound(options: ManyOptions, given: ApprovalAct): Promise<void> {
  const filter = filterOf(options);
  const what = describeFilter(filter);
  await withTasker(options, {}, async (tasker) => {
    const found = await openApprovals(tasker, filter);
    if (options.dryRun) {
      if (options.json) return printJson({ dry_run: true, approvals: found.map(approvalJson) });
      return print(preview(found, given.verb, what));
    }
    if (found.length > 0 && !options.yes) {
      if (thisRun().stdin.isTTY) note(`${preview(found, given.verb, what)}\n`);
      if (!(await confirmed(`${given.verb} ${counted(found.length, 'approval')}?`))) return note('nothing done');
    }
    report(await actOnEach(tasker, found, given), { ...given, what, json: options.json });
  });
}

/** Returns the open approvals that a filter finds. @throws TaskerError `bad_request` if there are too many */
async function openApprovals(tasker: Tasker, filter: ApprovalFilter): Promise<Approval[]> {
  const found: Approval[] = [];
  let cursor: string | undefined;
  do {
    const page = await tasker.approvals.list(filter, { limit: PAGE, cursor });
    if (!page.totalIsExact) {
      const most = page.total.toLocaleString('en');
      throw new TaskerError('bad_request', `more than ${most} approvals match; narrow the filter`);
    }
    found.push(...page.approvals.filter(({ status }) => status === 'open'));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

function preview(found: readonly Approval[], verb: string, what: string): string {
  if (found.length === 0) return noneOf(verb, what);
  const shown = approvalTable(found.slice(0, SHOWN), { now: Date.now(), width: thisRun().stdout.columns });
  const more = found.length > SHOWN ? `\n${pc.dim(`… and ${found.length - SHOWN} more`)}` : '';
  return `would ${verb} ${counted(found.length, 'approval')}: ${what}\n\n${shown}${more}`;
}

function noneOf(verb: string, what: string): string {
  return `no open approval to ${verb}: ${what}`;
}

interface Outcomes {
  done: Approval[];
  failed: { approval: Approval; why: string }[];
}

async function actOnEach(
  tasker: Tasker,
  found: readonly Approval[],
  { act, done: word }: ApprovalAct,
): Promise<Outcomes> {
  const outcomes: Outcomes = { done: [], failed: [] };
  for (const approval of found) {
    try {
      outcomes.done.push(await act(tasker, approval));
    } catch (error) {
      if (!(error instanceof TaskerError)) throw error;
      outcomes.failed.push({ approval, why: messageOf(error) });
    }
    redrawLine(`${outcomes.done.length} of ${found.length} ${word}`);
  }
  redrawLine('');
  return outcomes;
}

function report(
  { done, failed }: Outcomes,
  { verb, done: word, what, json }: ApprovalAct & { what: string; json?: boolean | undefined },
): void {
  if (failed.length > 0) thisRun().exitCode = EXIT.failed;
  if (json) {
    const left = failed.map(({ approval, why }) => ({ task_uuid: approval.taskUuid, step: approval.step, why }));
    printJson({ done: done.map(approvalJson), failed: left });
    return;
  }
  const all = done.length + failed.length;
  if (all === 0) {
    note(noneOf(verb, what));
    return;
  }
  const open = verb === 'reassign' ? 0 : done.filter(({ status }) => status === 'open').length;
  const waits = open === 0 ? '' : `; ${open} ${open === 1 ? 'waits' : 'wait'} for more votes`;
  print(`${word} ${done.length} of ${counted(all, 'approval')}${waits}`);
  if (failed.length === 0) return;
  const rows = failed.slice(0, SHOWN).map(({ approval, why }) => [approval.taskUuid, approval.step, why]);
  print(`\n${failed.length} failed:\n${table(['task', 'step', 'why'], rows)}`);
  if (failed.length > SHOWN) print(pc.dim(`… and ${failed.length - SHOWN} more; --json lists all`));
}

/**
 * Returns the approval that the arguments of a command name. Undefined if the command has a filter instead.
 * @throws TaskerError `bad_request` if it has both or neither
 */
export function namedApproval(
  task: string | undefined,
  step: string | undefined,
  options: ManyOptions,
): { task: string; step: string } | undefined {
  const filtered = Object.keys(filterOf(options)).length > 0;
  if (filtered && task !== undefined) throw new TaskerError('bad_request', 'pass TASK STEP or a filter, not both');
  if (filtered) return undefined;
  if (task === undefined || step === undefined) {
    throw new TaskerError('bad_request', 'no approval was given; pass TASK STEP, or a filter such as --assignee ana');
  }
  if (options.dryRun)
    throw new TaskerError('bad_request', '--dry-run is for a filter; `approval show TASK STEP` shows one approval');
  return { task, step };
}
