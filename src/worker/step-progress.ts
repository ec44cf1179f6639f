import { type EarlierCallsRow, type ElementKey, type Engine, isConnectionError } from '../engine/engine.ts';
import { failuresByName } from '../engine/task-output.ts';
import { messageOf, TaskerError } from '../errors.ts';
import { StepExecutionError } from '../handlers/failures/handler-errors.ts';
import type { CheckpointProgress } from '../handlers/step-context.ts';
import type { TransactionWork } from '../handlers/step-context-params.ts';
import { StepHandlerResult } from '../handlers/step-handler.ts';
import { elementNumber, placeFor } from '../model/for-each.ts';
import { type Fields, storableJson } from '../model/json.ts';
import { backOff } from '../time/back-off.ts';
import { ChildStarts } from './child-starts.ts';
import type { DispatchedStep, EarlierCalls, StepHost } from './dispatched-step.ts';
import { listOf } from './lists.ts';
import type { Deadlines } from './running-steps.ts';
import { saveWithRetries } from './save-with-retries.ts';

// The progress of a step, which is loaded when it starts again, saved while it runs, and yielded.

const MAX_CHECKPOINT = 8 * 1024 * 1024;
/** Maximum number of saves in the history of a checkpoint. */
const HISTORY = 20;

/**
 * Loads the parts of batch workers, elements of lists, the checkpoints and first starts of steps that were started before, and the schedules of
 * tasks.
 */
export async function loadDetails(engine: Engine, steps: readonly DispatchedStep[]): Promise<void> {
  const workers = steps.filter((step) => step.lacksPart);
  const restarted = steps.filter((step) => step.attempt > 1);
  const timed = restarted.filter((step) => step.number > 1 && step.template.retry.forMs !== null);
  const ofLists = steps.filter((step) => step.lacksElement);
  const { parts, checkpoints, starts, elements } = await engine.details({
    workers,
    restarted,
    timed,
    elements: ofLists.map(elementOf),
  });
  const elementAt = new Map(elements.map((row) => [keyOfElement(row), row]));
  for (const step of ofLists) step.element = elementAt.get(keyOfElement(elementOf(step)));
  const ofSchedules = new Map(steps.filter((step) => step.lacksSchedule).map(({ task }) => [task.taskUuid, task]));
  if (ofSchedules.size > 0) {
    const schedules = await engine.schedules.ofTasks([...ofSchedules.keys()]);
    for (const [taskUuid, task] of ofSchedules) task.schedule = schedules.get(taskUuid) ?? null;
  }
  const held = new Map(steps.map((step) => [`${step.taskUuid}:${step.idx}`, step]));
  for (const part of parts) held.get(`${part.taskUuid}:${part.idx}`)!.part = part;
  for (const [i, agoMs] of starts) timed[i]!.firstStartedAt = performance.now() - agoMs;
  for (const { taskUuid, idx, data, calls } of checkpoints) {
    const step = held.get(`${taskUuid}:${idx}`)!;
    step.saved = data;
    if (calls !== null) step.earlierCalls = earlierCalls(step, JSON.parse(calls) as EarlierCallsRow);
  }
}

/** Returns the element that a step runs for. */
function elementOf({ taskUuid, idx, templateIdx, task }: DispatchedStep): ElementKey {
  return { taskUuid, list: task.snapshot.graph.elementOf.get(templateIdx)!, element: elementNumber(idx) };
}

const keyOfElement = ({ taskUuid, list, element }: ElementKey) => `${taskUuid}:${list}:${element}`;

/** Returns the calls of the handler earlier in this attempt. Calls of another attempt are ignored. */
function earlierCalls(
  step: DispatchedStep,
  { count, since, forMs, number }: EarlierCallsRow,
): EarlierCalls | undefined {
  return number === step.number ? { count, since, firstAt: performance.now() - forMs } : undefined;
}

/**
 * Returns the functions with which running handlers load results, and save progress and tokens. Saving progress restarts
 * the timeout of the step.
 */
export function stepProgress(
  engine: Engine,
  deadlines: Pick<Deadlines, 'restart'>,
): Pick<
  StepHost,
  | 'loadResult'
  | 'loadFailures'
  | 'list'
  | 'saveCheckpoint'
  | 'transaction'
  | 'completionToken'
  | 'startTask'
  | 'childTask'
  | 'childUndo'
> {
  const starts = new ChildStarts(engine);
  return {
    async loadResult(step, idx) {
      const [row] = await engine.loadResults([{ taskUuid: step.taskUuid, idx }], Number.MAX_SAFE_INTEGER);
      return row?.result ?? null;
    },
    async loadFailures({ taskUuid, task, template, idx }, names) {
      const { graph } = task.snapshot;
      const steps = names.map((name) => ({ taskUuid, idx: placeFor(graph, idx, graph.indexOf.get(name)!) }));
      const failures = template.undoes === null ? engine.loadFailures(steps) : engine.lastFailures(steps);
      return failuresByName(task.snapshot.graph.names, await failures);
    },
    async saveCheckpoint(step, progress) {
      if (step.transacting) throw insideTransaction(step);
      // Saves are serialized, because on two connections the older checkpoint might be saved last.
      const before = step.saving ?? Promise.resolve();
      const turn = before.then(async () => {
        const data = checkpointRecord(step, progress);
        await saveWithRetries(step, async (timeoutMs) => {
          if (step.over || !(await engine.saveCheckpoint(step, data, { timeoutMs }))) throw takenAway(step);
        });
        step.saved = data;
      });
      step.saving = turn.catch(() => undefined); // the caller receives the error
      await turn;
      deadlines.restart(step);
    },
    async completionToken(step) {
      return await saveWithRetries(step, async (timeoutMs) => {
        const token = step.over ? undefined : await engine.saveToken(step, { timeoutMs });
        if (token === undefined) throw withoutToken(step);
        return token;
      });
    },
    startTask: (step, start) => starts.start(step, start),
    childTask: (step) => engine.prepareChild(step),
    childUndo: (step) => engine.prepareChildUndo(step),
    list: (step) => listOf(engine, step),
    async transaction(step, work) {
      if (step.transacting) throw insideTransaction(step);
      step.transacting = true;
      try {
        await step.saving;
        const { value, data } = await transact(engine, step, work);
        if (data !== undefined) step.saved = data;
        deadlines.restart(step);
        return value;
      } finally {
        step.transacting = false;
      }
    },
  };
}

async function transact<T>(engine: Engine, step: DispatchedStep, work: TransactionWork<T>) {
  let answer: { value: T; data: string | undefined } | undefined;
  try {
    await engine.transactionOfStep(step, async (client) => {
      // The step may have waited a long time for a connection.
      if (step.over) throw takenAway(step);
      const value = await work(client, cursorOf(step));
      const progress = progressOf(step, value);
      answer = { value, data: progress && checkpointRecord(step, progress) };
      return { value, checkpoint: answer.data };
    });
  } catch (error) {
    const inDoubt = error instanceof TaskerError && error.code === 'record_in_doubt' && answer?.data !== undefined;
    if (!inDoubt || !(await wasCommitted(engine, step, answer!.data!))) throw error;
  }
  return answer!;
}

/**
 * Determines from the checkpoint whether a transaction was committed. Retries until the database responds, because
 * running the transaction again might write its rows twice.
 */
async function wasCommitted(engine: Engine, step: DispatchedStep, data: string): Promise<boolean> {
  for (let tries = 0; !step.over; tries++) {
    try {
      return await engine.wasSaved(step, data);
    } catch {
      await backOff(tries); // the database is unavailable, or the transaction is still open
    }
  }
  throw takenAway(step);
}

/** Returns the position to resume from: the saved cursor, otherwise the start of the batch worker's part. */
function cursorOf({ checkpoint, stepInputs, part }: DispatchedStep): unknown {
  return checkpoint?.cursor ?? (part ? ((stepInputs.cursor as Fields).start_cursor ?? null) : null);
}

/** Returns the progress that a value stands for: an object with `cursor`, or the cursor. Undefined for undefined. */
export function progressOf({ checkpoint }: DispatchedStep, value: unknown): CheckpointProgress | undefined {
  if (value === undefined) return undefined;
  const before = {
    itemsProcessed: Number(checkpoint?.items_processed ?? 0),
    accumulatedResults: (checkpoint?.accumulated_results as Fields | null | undefined) ?? null,
  };
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, 'cursor')) {
    return { ...before, ...(value as CheckpointProgress) };
  }
  return { ...before, cursor: value };
}

/** Returns the stored form of a checkpoint. */
function checkpointRecord(
  step: DispatchedStep,
  { cursor, itemsProcessed = 0, accumulatedResults }: CheckpointProgress,
): string {
  const timestamp = new Date().toISOString();
  const before = step.checkpoint?.history;
  const record = {
    cursor: cursor ?? null,
    items_processed: itemsProcessed,
    timestamp,
    accumulated_results: accumulatedResults ?? null,
    history: [...(Array.isArray(before) ? before : []), { cursor: cursor ?? null, timestamp }].slice(-HISTORY),
  };
  const stored = storableJson(record, { name: 'checkpoint', maxBytes: MAX_CHECKPOINT });
  if (stored.ok) return stored.json;
  throw new StepExecutionError(`step ${step.name}: the checkpoint cannot be stored: ${stored.path}: ${stored.reason}`, {
    errorType: 'checkpoint_error',
    retryable: false,
  });
}

function insideTransaction(step: DispatchedStep): StepExecutionError {
  const message = `step ${step.name}: a transaction of this step is open, and a checkpoint saved outside it would survive its rollback; return the cursor from the transaction, and start the next one after it has ended`;
  return new StepExecutionError(message, { errorType: 'checkpoint_error', retryable: false });
}

function takenAway(step: DispatchedStep): StepExecutionError {
  const message = `step ${step.name} is no longer held by this worker, so its checkpoint was not saved; stop when context.signal fires`;
  return new StepExecutionError(message, { errorType: 'checkpoint_error', retryable: true });
}

function withoutToken(step: DispatchedStep): StepExecutionError {
  const message = `step ${step.name} is no longer held by this worker, so it has no completion token; stop when context.signal fires`;
  return new StepExecutionError(message, { errorType: 'token_error', retryable: true });
}

/** Saves the progress that a handler yielded. Returns the failure of the attempt if saving fails. */
export async function saveYield(
  step: DispatchedStep,
  { result }: StepHandlerResult,
): Promise<StepHandlerResult | undefined> {
  try {
    const { cursor = 0, items_processed: items, accumulated_results: results } = result ?? {};
    await step.saveCheckpoint({
      cursor,
      itemsProcessed: typeof items === 'number' ? items : 0,
      accumulatedResults: (results as Fields | undefined) ?? null,
    });
    return undefined;
  } catch (error) {
    return StepHandlerResult.failure({
      message: `Checkpoint yield failed: ${messageOf(error)}`,
      errorType: 'checkpoint_error',
      retryable: isConnectionError(error) || (error as { retryable?: unknown }).retryable !== false,
    });
  }
}
