import { snakeKeys } from '../../app/json/views.ts';
import type { DeadLetterChange } from '../../app/operator-types.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { readIds } from '../bulk/options.ts';
import { EXIT } from '../exit-codes.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

interface IdOptions extends GlobalOptions, OperatorFlags {
  id?: string[];
  ids?: string;
}

interface ChangeOptions extends IdOptions {
  status?: Exclude<DeadLetterChange['status'], undefined>;
  notes?: string;
  to?: string;
  unassign?: boolean;
  assignee?: string;
  priority?: number;
}

/** Returns the ids of a command. @throws TaskerError `bad_request` if it has none */
export async function idsOf(given: readonly string[], options: IdOptions, what: string): Promise<string[]> {
  const ids = await readIds(given, options);
  if (ids.length > 0 || options.ids !== undefined) return ids;
  throw new TaskerError('bad_request', `no ${what} was given; pass its id, --id or --ids -`);
}

/**
 * `tasker dlq add`: adds tasks to the dead letters. Each is a separate action, so a failure does not stop the others.
 */
export async function dlqAdd(tasks: string[], options: ChangeOptions): Promise<void> {
  const ids = await idsOf(tasks, options, 'task');
  const { assignee, priority, json } = options;
  const by = { ...operatorFrom(options), assignee, priority };
  await withTasker(options, {}, async (tasker) => {
    if (ids.length === 1) {
      const entry = await tasker.deadLetters.add(ids[0]!, by);
      return json
        ? printJson(snakeKeys(entry))
        : note(`${entry.taskUuid} is in the dead letters, as entry ${entry.dlqEntryUuid}`);
    }
    const entries: object[] = [];
    const failed: { task_uuid: string; why: string }[] = [];
    for (const id of ids) {
      try {
        entries.push(snakeKeys(await tasker.deadLetters.add(id, by)));
      } catch (error) {
        if (!(error instanceof TaskerError)) throw error;
        failed.push({ task_uuid: id, why: messageOf(error) });
      }
    }
    if (json) printJson({ entries, failed });
    else {
      note(`${counted(entries.length, 'task')} added to the dead letters`);
      for (const { why } of failed) note(why);
    }
    if (failed.length > 0) thisRun().exitCode = EXIT.failed;
  });
}

/** `tasker dlq assign`: assigns dead letters, or changes their priority. */
export async function dlqAssign(entries: string[], options: ChangeOptions): Promise<void> {
  const { to, unassign, priority } = options;
  if (to !== undefined && unassign) throw new TaskerError('bad_request', '--to and --unassign exclude each other');
  if (to === undefined && !unassign && priority === undefined) {
    throw new TaskerError('bad_request', 'pass --to NAME, --unassign or --priority');
  }
  const words = [
    ...(to === undefined && !unassign ? [] : [unassign ? 'unassigned' : `assigned to ${to}`]),
    ...(priority === undefined ? [] : [`priority ${priority}`]),
  ];
  await change(entries, options, { assignee: unassign ? null : to, priority }, words.join(', '));
}

/** `tasker dlq note`: adds a remark to a dead letter. */
export async function dlqNote(entry: string, text: string, options: IdOptions): Promise<void> {
  await change([entry], options, { note: text }, 'noted');
}

/** `tasker dlq resolve`: closes dead letters. */
export async function dlqResolve(entries: string[], options: ChangeOptions): Promise<void> {
  const { status = 'manually_resolved', notes } = options;
  await change(entries, options, { status, resolutionNotes: notes }, status);
}

/** `tasker dlq update`: changes dead letters, and closes them with `--status`. */
export async function dlqUpdate(entries: string[], options: ChangeOptions): Promise<void> {
  const { status, notes, assignee, priority } = options;
  await change(entries, options, { status, resolutionNotes: notes, assignee, priority }, status ?? 'updated');
}

async function change(given: string[], options: IdOptions, wanted: DeadLetterChange, done: string): Promise<void> {
  const ids = await idsOf(given, options, 'dead letter');
  await withTasker(options, {}, async (tasker) => {
    const changed = ids.length === 0 ? 0 : await tasker.deadLetters.update(ids, wanted, operatorFrom(options));
    if (options.json) printJson({ changed });
    else note(`${counted(changed, 'dead letter')}: ${done}`);
  });
}
