import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { LONGEST_DURATION_MS } from '../../model/duration.ts';
import { isFields } from '../../model/json.ts';
import { noteAct } from '../../store/audit.ts';
import { getStep } from '../../store/read-steps.ts';
import type { StepKey } from '../../store/step-key.ts';
import { lockTasks } from '../../store/tasks.ts';
import { openWaits } from '../../store/waits/read.ts';
import { extendWait, moveWait } from '../../store/waits/tokens.ts';
import { type Expanding, type OperatorOptions, onFreeTask, operatorOf } from '../operator-actions.ts';
import { ENDING, endLocked } from './end.ts';
import { tooLate } from './late.ts';
import { instantMs } from './start-time.ts';
import type { EndedWait, OpenWait } from './waits.ts';

/** Completes a timer step now. @throws TaskerError `illegal_transition` if it does not wait for a time */
export function fireTimer(engine: Expanding, step: StepKey, options: OperatorOptions): Promise<EndedWait> {
  const operator = operatorOf(options);
  const fire = async (tx: Db) => {
    const wait = await openTimer(tx, step, 'fired');
    const result = { due_at: wait.until, fired_at: wait.now };
    const [ended] = await endLocked(engine, tx, [{ wait, by: 'operator', kind: 'completed', result }]);
    const act = { action: 'fire_timer' as const, ...step, fromState: 'waiting', toState: 'complete' };
    await noteAct(tx, { ...act, details: JSON.stringify({ due_at: wait.until }) }, operator);
    return ended!;
  };
  return onFreeTask(engine.database, step.taskUuid, fire, ENDING);
}

/** Changes the time at which a timer fires, and returns it. @throws TaskerError `illegal_transition`, `wait_over` */
export function moveTimer(engine: Expanding, step: StepKey, until: NewTime, options: OperatorOptions): Promise<string> {
  const operator = operatorOf(options);
  return onFreeTask(engine.database, step.taskUuid, async (tx) => {
    const wait = await openTimer(tx, step, 'moved');
    if (wait.overdue) throw tooLate(`the timer was due at ${wait.until}`);
    const moved = await moveTo(tx, step, until);
    const act = { action: 'move_timer' as const, ...step, fromState: 'waiting', toState: 'waiting' };
    await noteAct(tx, { ...act, details: JSON.stringify({ from: wait.until, to: moved }) }, operator);
    return moved;
  });
}

async function openTimer(tx: Db, step: StepKey, past: string): Promise<OpenWait> {
  await lockTasks(tx, [step.taskUuid]);
  const [wait] = await openWaits(tx, [step]);
  if (wait?.kind === 'timer') return wait;
  const row = await getStep(tx, step.taskUuid, step.idx);
  const why = wait
    ? `it waits for ${wait.kind === 'approval' ? 'an' : 'a'} ${wait.kind}, not for a time`
    : `its state is ${row?.state}`;
  const message = `step ${row?.name} of task ${step.taskUuid} cannot be ${past}: ${why}`;
  throw new TaskerError('illegal_transition', message);
}

/**
 * A time: ISO 8601 with a zone, milliseconds since 1970, or a date. Or milliseconds from now, by the clock of the
 * database.
 */
export type TimerTime = string | number | Date | { delayMs: number };

/** A checked {@link TimerTime}. `at`: ISO 8601. */
export type NewTime = { at: string } | { delayMs: number };

/** Checks a time. `what`: its name, for the error. @throws TaskerError `bad_request` */
export function newTimeOf(given: TimerTime, what: string): NewTime {
  if (!isFields(given) || given instanceof Date || !('delayMs' in given)) {
    return { at: new Date(instantMs(given, what)).toISOString() };
  }
  const { delayMs } = given;
  if (typeof delayMs === 'number' && delayMs >= 0 && delayMs <= LONGEST_DURATION_MS) return { delayMs };
  const most = LONGEST_DURATION_MS / 86_400_000;
  throw new TaskerError(
    'bad_request',
    `${what}: delayMs must be a number of milliseconds from 0 to ${most} days, got ${String(delayMs)}`,
  );
}

/** Changes the time at which a wait ends, and returns it. Call it after lockTasks. */
export async function moveTo(tx: Db, wait: StepKey, time: NewTime): Promise<string> {
  return ('at' in time ? await moveWait(tx, wait, time.at) : await extendWait(tx, wait, time.delayMs))!;
}
