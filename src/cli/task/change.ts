import type { Tasker } from '../../app/tasker.ts';
import { type BulkCommandOptions, readIds, targetOf } from '../bulk/options.ts';
import { runBulk } from '../bulk/run.ts';
import { confirmed } from '../confirm.ts';
import { operatorFrom } from '../operator.ts';
import { noteMissingWorker } from '../show/missing-worker.ts';
import { note, printJson } from '../show/output.ts';
import { notePauses } from '../show/pause-notes.ts';
import { describeFilter, taskFilterOf } from '../task-filter.ts';
import { withTasker } from '../with-tasker.ts';

type Operator = ReturnType<typeof operatorFrom>;
type Verb = 'cancel' | 'retry' | 'resolve' | 'delete';

/** The action of a command on one task. Returns the text that the command prints, and its JSON. */
type OnOne = (tasker: Tasker, uuid: string, by: Operator) => Promise<{ said: string; json: Record<string, unknown> }>;

/** Returns a command that acts on one task immediately, or on many after a confirmation. */
function actingOnTasks(verb: Verb, onOne: OnOne) {
  return async (uuids: string[], options: BulkCommandOptions): Promise<void> => {
    const filter = taskFilterOf(options, { acts: true });
    const ids = await readIds(uuids, options);
    const alone = ids.length === 1 && options.ids === undefined && !options.dryRun && Object.keys(filter).length === 0;
    const by = operatorFrom(options);
    if (alone) return one(verb, { uuid: ids[0]!, by, options, onOne });
    const target = targetOf('task', { ids, options });
    await runBulk(options, (tasker, signal) => tasker.bulk[verb](target, { ...by, signal }), describeFilter(filter));
  };
}

async function one(
  verb: Verb,
  { uuid, by, options, onOne }: { uuid: string; by: Operator; options: BulkCommandOptions; onOne: OnOne },
): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    if (verb === 'delete' && !options.yes && !(await confirmed(`delete ${uuid} with its results and history?`))) {
      return note('nothing done');
    }
    const { said, json } = await onOne(tasker, uuid, by);
    shown({ said, json }, uuid, options);
    if (options.json) return;
    if (!['steps_in_process', 'pending', 'undoing'].includes(String(json.status))) return;
    const task = await tasker.getTask(uuid);
    notePauses(task);
    await noteMissingWorker(tasker, task.namespace);
  });
}

function shown({ said, json }: Awaited<ReturnType<OnOne>>, uuid: string, options: BulkCommandOptions): void {
  if (options.json) printJson({ task_uuid: uuid, ...json });
  else note(said);
}

/** `tasker task cancel`: cancels tasks. A task that has ended is not changed. */
export const taskCancel = actingOnTasks('cancel', async (tasker, uuid, by) => {
  const cancelled = await tasker.cancelTask(uuid, by);
  const { status } = await tasker.getTask(uuid);
  const said = cancelled ? `cancelled ${uuid}` : `${uuid} has already ended: it is ${status}`;
  return { said, json: { cancelled, status } };
});

/** `tasker task resolve`: ends tasks by hand. */
export const taskResolve = actingOnTasks('resolve', async (tasker, uuid, by) => {
  const resolved = await tasker.resolveTask(uuid, by);
  const { status } = await tasker.getTask(uuid);
  const said = resolved ? `resolved ${uuid}` : `${uuid} has already ended: it is ${status}`;
  return { said, json: { resolved, status } };
});

/** `tasker task retry`: retries the failed and waiting steps of tasks. */
export const taskRetry = actingOnTasks('retry', async (tasker, uuid, by) => {
  const steps = await tasker.retryTask(uuid, by);
  const { status } = await tasker.getTask(uuid);
  return { said: `retried ${steps.join(', ')} of ${uuid}; the task is ${status}`, json: { steps, status } };
});

/** `tasker task delete`: deletes ended tasks. */
export const taskDelete = actingOnTasks('delete', async (tasker, uuid, by) => {
  await tasker.deleteTask(uuid, by);
  return { said: `deleted ${uuid}`, json: { deleted: true } };
});
