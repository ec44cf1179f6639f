import { undoJson } from '../../app/json/acts.ts';
import type { TaskUndo } from '../../app/json/views.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { type BulkCommandOptions, readIds, targetOf } from '../bulk/options.ts';
import { runBulk } from '../bulk/run.ts';
import { operatorFrom } from '../operator.ts';
import { noteMissingWorker } from '../show/missing-worker.ts';
import { note, print, printJson } from '../show/output.ts';
import { notePauses } from '../show/pause-notes.ts';
import { counted, painted, signOf, table } from '../show/text.ts';
import { describeFilter, taskFilterOf } from '../task-filter.ts';
import { withTasker } from '../with-tasker.ts';

type Row = TaskUndo['steps'][number];

/** Maximum number of names in a cell. */
const SHOWN = 3;

/** `tasker task undo`: undoes the steps of a task in the reverse order, or lists what would be undone; or undoes many tasks. */
export async function taskUndo(uuids: string[], options: BulkCommandOptions): Promise<void> {
  const filter = taskFilterOf(options, { acts: true });
  const ids = await readIds(uuids, options);
  const by = operatorFrom(options);
  if (ids.length === 1 && options.ids === undefined && Object.keys(filter).length === 0) return one(ids[0]!, options);
  const target = targetOf('task', { ids, options });
  await runBulk(options, (tasker, signal) => tasker.bulk.undo(target, { ...by, signal }), describeFilter(filter));
}

async function one(uuid: string, options: BulkCommandOptions): Promise<void> {
  const { dryRun = false, json } = options;
  await withTasker(options, {}, async (tasker) => {
    const undo = await tasker.undoTask(uuid, { dryRun, ...operatorFrom(options) });
    if (json) return printJson(undoJson(undo));
    if (dryRun) {
      print(table(['  step', 'state', 'undone by', 'after'], undo.steps.map(rowOf)));
      print('');
    }
    note(summaryOf(undo));
    if (dryRun || undo.status === 'undone') return;
    const task = await tasker.getTask(uuid);
    notePauses(task);
    await noteMissingWorker(tasker, task.namespace);
  });
}

const WHY: Record<NonNullable<Row['reason']>, string> = {
  no_undo: 'not undone: its template has no undo for it',
  not_started: 'nothing to undo: it never started',
  not_completed: 'not undone: it did not complete (include: completed)',
  resolved_manually: 'not undone: an operator resolved it, so check it by hand',
  already_undone: 'was undone before',
  child_abandoned: 'blocks the undo: its child task was abandoned',
  child_deleted: 'blocks the undo: its child task was deleted',
};

function rowOf({ step, state, undone, handler, childTaskUuid, after, reason }: Row): string[] {
  const first = [`${signOf(state)} ${step}`, painted(state)];
  if (!undone) return [...first, pc.dim(WHY[reason!]), ''];
  const names =
    after.length > SHOWN ? `${after.slice(0, SHOWN).join(', ')} and ${after.length - SHOWN} more` : after.join(', ');
  return [...first, childTaskUuid ? `undo of task ${childTaskUuid}` : handler!, names];
}

function summaryOf({ taskUuid, dryRun, statusBefore, status, steps }: TaskUndo): string {
  const count = steps.filter(({ undone }) => undone).length;
  const left = steps.filter(({ reason }) => reason === 'resolved_manually' || reason === 'not_completed').length;
  const others =
    left === 0
      ? ''
      : `; ${counted(left, 'step')} that may have had an effect ${dryRun ? 'would' : 'will'} not be undone`;
  if (dryRun)
    return `dry run: nothing was changed. ${counted(count, 'step')} would be undone${others}; the task is ${statusBefore}`;
  const sentence = count === 0 ? 'there was nothing to undo' : `${counted(count, 'step')} will be undone`;
  return `undo of ${taskUuid}: ${sentence}${others}; the task was ${statusBefore} and is ${status}`;
}
