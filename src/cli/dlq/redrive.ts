import { snakeKeys } from '../../app/json/views.ts';
import type { RedriveFilter } from '../../app/operator-types.ts';
import { type EntryConditionValues, NAMED_ENTRY_CONDITIONS } from '../../contract/filters/dead-letters.ts';
import { TaskerError } from '../../errors.ts';
import { type BulkCommandOptions, readIds } from '../bulk/options.ts';
import { runBulk } from '../bulk/run.ts';
import { conditionsOf } from '../conditions.ts';
import { operatorFrom } from '../operator.ts';
import { ifAllowed } from '../remote/if-allowed.ts';
import { note, printJson } from '../show/output.ts';
import { notePauses } from '../show/pause-notes.ts';
import { describeFilter, taskFilterOf } from '../task-filter.ts';
import { withTasker } from '../with-tasker.ts';

interface RedriveOptions extends BulkCommandOptions, EntryConditionValues {
  all?: boolean;
}

/** `tasker dlq redrive`: redrives one task immediately, or many after a confirmation. */
export async function dlqRedrive(given: string[], options: RedriveOptions): Promise<void> {
  const filter = filterOf(options);
  const filtered = Object.keys(filter).length > 0;
  const ids = await readIds(given, options);
  const named = ids.length > 0 || options.ids !== undefined;
  if (filtered && named) throw new TaskerError('bad_request', 'pass the ids of dead letters or a filter, not both');
  if (!filtered && !named) {
    throw new TaskerError(
      'bad_request',
      'no dead letter was given; pass its id or the id of its task, --id, --ids -, a filter such as --error-type timeout, or --all',
    );
  }
  if (ids.length === 1 && options.ids === undefined && !options.dryRun) return redriveOne(ids[0]!, options);
  const by = operatorFrom(options);
  await runBulk(
    options,
    (tasker, signal) => tasker.deadLetters.redriveAll(filtered ? filter : { ids }, { ...by, signal }),
    describeFilter(filter),
  );
}

function filterOf(options: RedriveOptions): RedriveFilter {
  const { all } = options;
  const ofEntries = conditionsOf<EntryConditionValues>(options, NAMED_ENTRY_CONDITIONS);
  return { ...taskFilterOf(options, { acts: true }), ...ofEntries, ...(all !== undefined && { all }) };
}

async function redriveOne(id: string, options: RedriveOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const done = await tasker.deadLetters.redrive(id, operatorFrom(options));
    if (options.json) return printJson(snakeKeys(done));
    const { taskUuid, how, steps, statusBefore, status } = done;
    note(
      how === 'retried'
        ? `retried ${steps.join(', ')} of ${taskUuid}; the task is ${status}`
        : `reopened ${taskUuid} (was ${statusBefore}): ${steps.join(', ')} continue${steps.length === 1 ? 's' : ''}; the task is ${status}`,
    );
    // The credential of a server may not allow reading tasks.
    const task = await ifAllowed(tasker.getTask(taskUuid));
    if (task) notePauses(task);
  });
}
