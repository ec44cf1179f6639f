import type { Engine } from '../../engine/engine.ts';
import { isTaskerError, TaskerError } from '../../errors.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { counted, explainStart, schemaOfWait, waitWithWayOut } from '../wait-words.ts';

/** How long the search for the reason may delay the error, in milliseconds. */
const REASON_MS = 1_000;
/** Maximum number of waits in an error. */
const MOST_WAITS = 3;

/**
 * Returns the error of a wait for a task. If it is a timeout, the message also describes what the task waits for, and how
 * an operator can end the waits. Other errors are returned as they are.
 */
export async function withReason(engine: Engine, taskUuid: string, error: unknown): Promise<unknown> {
  if (!isTaskerError(error) || error.code !== 'timeout') return error;
  const reason =
    (await readReason(engine, taskUuid)) ??
    `, and is still in progress; \`tasker task why ${taskUuid}\` shows what it waits for`;
  return new TaskerError('timeout', `${error.message}${reason}`, { cause: error.cause });
}

/** Never throws, because the timeout is the more important error. */
async function readReason(engine: Engine, taskUuid: string): Promise<string | undefined> {
  let reason: string | undefined;
  const reading = reasonOf(engine, taskUuid).then(
    (found) => {
      reason = found;
    },
    () => undefined,
  );
  await waitAtMost(REASON_MS, reading);
  return reason;
}

/** Returns the end of the message. Undefined if the task does not wait. */
async function reasonOf(engine: Engine, taskUuid: string): Promise<string | undefined> {
  const [task, steps, { steps: templates, graph }] = await Promise.all([
    engine.getTask(taskUuid),
    engine.getSteps(taskUuid),
    engine.snapshotOf(taskUuid),
  ]);
  const now = Date.now();
  if (task.startsAt !== null) return `: it ${explainStart(task, now)}`;
  const waits = steps.flatMap((step) => {
    if (step.wait === null) return [];
    const schema = schemaOfWait(templates[graph.indexOf.get(step.templateStepName)!]!);
    return [waitWithWayOut(step, step.wait, { now, schema })];
  });
  if (waits.length === 0) return undefined;
  const more = waits.length > MOST_WAITS ? [counted(waits.length - MOST_WAITS, 'more wait')] : [];
  return `: ${[...waits.slice(0, MOST_WAITS), ...more].join('; ')}`;
}
