import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { templateIndex } from '../../model/ids.ts';
import { storableJson } from '../../model/json.ts';
import { retryDelayMs } from '../../model/retry-delay.ts';
import { decideRetry } from '../../model/retry-rules.ts';
import { holdRoutes } from '../../store/decide.ts';
import { existingSteps } from '../../store/expand-tasks.ts';
import { firstStarts } from '../../store/first-start.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import { KIND, type Recorded, recordWaits } from '../../store/record-steps.ts';
import type { HeldKey, StepKey } from '../../store/step-key.ts';
import { endWaits, FENCE_OF_WAITS } from '../../store/waits/end-waits.ts';
import { takeRunning } from '../../store/waits/tokens.ts';
import type { Expanding } from '../operator-actions.ts';
import { grow, growthOf, isStatic, type RecordAnswer, type Recording, recordLocked, variantOf } from '../record.ts';
import type { AttemptDetail } from '../task-view.ts';
import type { EndedWait, WaitEnding } from './waits.ts';

/**
 * Limits of transactions that end waits. The plans are pinned, because the statements that record need their usual
 * plans.
 */
export const ENDING_LIMITS = { ...PINNED_PLANS, statement_timeout: '30s', idle_in_transaction_session_timeout: '30s' };
/** How transactions that end waits of one task begin. */
export const ENDING = opening({ ...ENDING_LIMITS, lock_timeout: '5s' });

const KINDS = { completed: KIND.completed, retryable: KIND.retryable, permanent: KIND.permanent } as const;
/** Children go to the queue, because the process that records this is not a worker that could claim them. */
const NO_CHILDREN = { freeSlots: 0, token: 0, lastRank: -101 };

/**
 * Ends waits of locked tasks, and records the waiting attempts. As in a worker's recording, failures are retried,
 * results create steps, and children become ready. Returns the ended waits in the order of the list; undefined for a
 * wait that had already ended. The caller announces them after the commit, with `announce.waits`.
 *
 * Ignores the limit of a wait, so a caller that must reject late input checks `overdue` first.
 * @throws TaskerError `template_invalid`, `template_not_found` if a template cannot be read
 */
export async function endLocked(
  engine: Expanding,
  tx: Db,
  ends: readonly WaitEnding[],
): Promise<(EndedWait | undefined)[]> {
  if (ends.length === 0) return [];
  const unreadable = await engine.templates.load(
    ends.map(({ wait }) => wait.templateId),
    tx,
  );
  for (const error of unreadable.values()) throw error;
  const [plain, others] = [[], []] as [number[], number[]];
  for (let i = 0; i < ends.length; i++) (isPlain(engine, ends[i]!) ? plain : others).push(i);
  const done: (EndedWait | undefined)[] = ends.map(() => undefined);
  const set = (places: readonly number[], ended: readonly (EndedWait | undefined)[]) => {
    for (let i = 0; i < places.length; i++) done[places[i]!] = ended[i];
  };
  const these = (places: readonly number[]) => places.map((i) => ends[i]!);
  if (plain.length > 0) set(plain, await completePlain(engine, tx, these(plain)));
  if (others.length > 0) set(others, await endAndRecord(engine, tx, these(others)));
  return done;
}

/** Returns whether the end completes a step, and nothing but ready children follows from it. */
function isPlain({ templates }: Expanding, { wait, kind }: WaitEnding): boolean {
  return kind === 'completed' && isStatic(templates.get(wait.templateId).graph);
}

/** Ends waits and completes their steps in one statement. A result that cannot be stored is recorded as a failure. */
async function completePlain(
  engine: Expanding,
  tx: Db,
  ends: readonly WaitEnding[],
): Promise<(EndedWait | undefined)[]> {
  const recordings = ends.map((ending) => recordingOf(engine, ending, { counted: 0, elapsedMs: 0 }));
  if (recordings.some(({ kind }) => kind !== KIND.completed)) return endAndRecord(engine, tx, ends);
  const waits = recordings.map((step, i) => ({ ...step, attempt: ends[i]!.wait.attempt, endedBy: ends[i]!.by }));
  const { endedAt, ...answer } = await recordWaits(tx, waits);
  const effects = effectsOf({ ...answer, takenFrom: [] });
  return ends.map(({ wait, by }, i) => {
    const at = endedAt.get(i);
    return at === undefined ? undefined : endedWait(wait, { by, endedAt: at, ...effects(wait) });
  });
}

async function endAndRecord(
  engine: Expanding,
  tx: Db,
  ends: readonly WaitEnding[],
): Promise<(EndedWait | undefined)[]> {
  const taken = await endWaits(
    tx,
    ends.map(({ wait: { taskUuid, idx, attempt }, by }) => ({ taskUuid, idx, attempt, by })),
  );
  if (taken.size === 0) return ends.map(() => undefined);
  const places = [...taken.keys()];
  const elapsed = await elapsedOf(
    engine,
    tx,
    places.map((i) => ends[i]!.wait),
  );
  const batch = [...taken].map(([i, { counted }], n) =>
    recordingOf(engine, ends[i]!, { counted, elapsedMs: elapsed(n) }),
  );
  const answer = await recordGrowing(engine, tx, batch);
  const effects = effectsOf(answer);
  return ends.map(({ wait, by }, i) => {
    const row = taken.get(i);
    return row && endedWait(wait, { by, endedAt: row.endedAt, ...effects(wait) });
  });
}

/** The outcome of a wait. Its attempt is recorded under the fence of waits. */
interface EndOutcome extends Pick<WaitEnding, 'by' | 'kind' | 'result' | 'error'> {
  wait: Pick<WaitEnding['wait'], 'taskUuid' | 'idx' | 'kind' | 'templateId' | 'rank'>;
}

/** The number of the attempt that ends, and the milliseconds since the first one started. */
interface EndedAttempt {
  counted: number;
  elapsedMs: number;
}

/** Returns the milliseconds since the first attempts of steps started, by the index of their wait. 0 for a step without `retry.for`. */
async function elapsedOf(
  { templates }: Expanding,
  tx: Db,
  waits: readonly EndOutcome['wait'][],
): Promise<(index: number) => number> {
  const timed = waits.flatMap(({ taskUuid, idx, templateId }, i) => {
    const { retry } = templates.get(templateId).steps[templateIndex(idx)]!;
    return retry.forMs === null ? [] : [{ i, taskUuid, idx }];
  });
  if (timed.length === 0) return () => 0;
  const starts = await firstStarts(tx, timed);
  const elapsed = new Map(timed.map(({ i }, n) => [i, starts.get(n) ?? 0]));
  return (index) => elapsed.get(index) ?? 0;
}

function recordingOf({ templates }: Expanding, ending: EndOutcome, { counted, elapsedMs }: EndedAttempt): Recording {
  const { wait, by, kind, result, error } = ending;
  const { taskUuid, idx, templateId, rank } = wait;
  const snapshot = templates.get(templateId);
  const detail: AttemptDetail = { wait: { kind: wait.kind, ended_by: by } };
  const base = { taskUuid, idx, claim: FENCE_OF_WAITS, templateId, rank, durationMs: null, expansion: undefined };
  const failed = (message: string, type: string, reported: boolean): Recording => {
    const { retryable, again, delayMs } = decideRetry(snapshot.steps[templateIndex(idx)]!.retry, {
      type,
      retryable: reported,
      number: counted,
      elapsedMs,
      delayMs: (policy) => retryDelayMs(policy, counted, Math.random()),
    });
    detail.error = { message, error_type: type, retryable };
    if (delayMs > 0) detail.retry_delay_ms = delayMs;
    const failure = { kind: again ? KINDS.retryable : KINDS.permanent, delayMs, result: 'null' };
    return { ...base, ...failure, detail: JSON.stringify(detail) };
  };
  if (kind !== 'completed')
    return failed(error?.message ?? 'the wait failed', error?.error_type ?? 'wait_failed', kind === 'retryable');
  const stored = storableJson(result ?? null);
  if (!stored.ok) return failed(`${stored.path}: ${stored.reason}`, 'result_not_storable', false);
  const expansion = snapshot.expansionOf(idx, JSON.parse(stored.json));
  if (expansion?.kind === 'wrong') return failed(expansion.reason, 'validation_error', false);
  return { ...base, kind: KINDS.completed, delayMs: 0, result: stored.json, detail: JSON.stringify(detail), expansion };
}

/**
 * Ends a running attempt, as {@link endLocked} ends a waiting attempt. Its worker loses the step. Returns undefined if
 * the worker does not hold it. The template must be loaded.
 */
export async function endRunning(
  engine: Expanding,
  tx: Db,
  held: HeldKey,
  ending: EndOutcome,
): Promise<EndedWait | undefined> {
  const counted = await takeRunning(tx, held, FENCE_OF_WAITS);
  if (counted === undefined) return undefined;
  const elapsed = await elapsedOf(engine, tx, [ending.wait]);
  const answer = await recordGrowing(engine, tx, [recordingOf(engine, ending, { counted, elapsedMs: elapsed(0) })]);
  const effects = effectsOf(answer)(ending.wait);
  return endedWait(ending.wait, { by: ending.by, endedAt: '', ...effects, takenFrom: true });
}

/** Records outcomes in locked tasks, after adding the steps that their results create. */
async function recordGrowing({ templates }: Expanding, tx: Db, batch: readonly Recording[]) {
  const making = batch.filter((step) => step.expansion !== undefined);
  if (making.length > 0) {
    const existing = await existingSteps(tx, [...new Set(making.map((step) => step.taskUuid))]);
    await Promise.all(grow(tx, growthOf(templates, making, existing)));
  }
  const variant = variantOf(templates, batch);
  if (making.length > 0 && variant === 'routed')
    await holdRoutes(
      tx,
      making.map(({ taskUuid }) => taskUuid),
    );
  return recordLocked({ tx, templates }, batch, { ...NO_CHILDREN, variant });
}

type Effects = Pick<EndedWait, 'state' | 'task' | 'queued' | 'takenFrom'>;

/** Returns a function that looks up how a recording changed the step of a wait and its task. */
function effectsOf({ ended, uncompleted, queued, takenFrom }: Omit<RecordAnswer, 'revised'>) {
  const keyOf = ({ taskUuid, idx }: { taskUuid: string; idx: number }) => `${taskUuid}/${idx}`;
  const states = new Map<string, Recorded['uncompleted'][number]['state']>(
    uncompleted.map((row) => [keyOf(row), row.state]),
  );
  const tasks = new Map(ended.map((task) => [task.taskUuid, task]));
  const taken = new Set(takenFrom);
  return (wait: StepKey): Effects => ({
    state: states.get(keyOf(wait)) ?? 'complete',
    task: tasks.get(wait.taskUuid),
    queued: queued > 0,
    takenFrom: taken.has(wait.taskUuid),
  });
}

/** Returns an ended wait, for the caller to announce. */
export function endedWait(
  { taskUuid, idx, kind, rank }: EndOutcome['wait'],
  { by, endedAt, state, task, queued, takenFrom }: Effects & { by: WaitEnding['by']; endedAt: string },
): EndedWait {
  return { taskUuid, idx, kind, endedBy: by, endedAt, state, task, queued, rank, takenFrom };
}
