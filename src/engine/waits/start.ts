import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { earliestMinutes } from '../../model/task-limits.ts';
import { START_IDX, type WaitEnd } from '../../model/waits.ts';
import { noteAct } from '../../store/audit.ts';
import { watchTaskAgain } from '../../store/stale-tasks.ts';
import { getTasks, lockTasks } from '../../store/tasks.ts';
import { openWaits, waitsOf } from '../../store/waits/read.ts';
import { startTask } from '../../store/waits/start-tasks.ts';
import { type Expanding, type OperatorOptions, onFreeTask, operatorOf } from '../operator-actions.ts';
import { moveTo, type NewTime } from './timers.ts';
import type { DueRule, EndedWait, OpenWait } from './waits.ts';

/** Starts a task whose time has come. */
export const startWhenDue: DueRule = async (tx, wait, engine) => ({
  handled: await start(engine, tx, wait, 'elapsed'),
});

async function start({ templates }: Expanding, tx: Db, wait: OpenWait, by: WaitEnd): Promise<EndedWait> {
  const { taskUuid, idx, kind, rank, templateId } = wait;
  const { endedAt, steps } = (await startTask(tx, taskUuid, by))!;
  const unreadable = await templates.load([templateId], tx);
  const limits = unreadable.size === 0 ? templates.get(templateId).limits : null;
  if (limits) await watchTaskAgain(tx, { taskUuid, minutes: earliestMinutes(limits) });
  const state = steps > 0 ? 'enqueued' : 'pending';
  return { taskUuid, idx, kind, endedBy: by, endedAt, state, queued: steps > 0, rank, takenFrom: false };
}

/**
 * Starts a task now instead of at its start time. @throws TaskerError `illegal_transition` if it has started or ended,
 * `task_not_found`
 */
export function startTaskNow(engine: Expanding, taskUuid: string, options: OperatorOptions): Promise<EndedWait> {
  const operator = operatorOf(options);
  return onFreeTask(engine.database, taskUuid, async (tx) => {
    const wait = await openStart(tx, taskUuid, 'started');
    const ended = await start(engine, tx, wait, 'operator');
    const act = { action: 'start_task' as const, taskUuid, fromState: 'pending', toState: 'pending' };
    await noteAct(tx, { ...act, details: JSON.stringify({ due_at: wait.until }) }, operator);
    return ended;
  });
}

/**
 * Changes the time at which a task begins, and returns it. @throws TaskerError `illegal_transition`, `task_not_found`
 */
export function rescheduleTask(
  engine: Expanding,
  taskUuid: string,
  { time, ...options }: OperatorOptions & { time: NewTime },
): Promise<string> {
  const operator = operatorOf(options);
  return onFreeTask(engine.database, taskUuid, async (tx) => {
    const wait = await openStart(tx, taskUuid, 'rescheduled');
    const moved = await moveTo(tx, wait, time);
    const act = { action: 'reschedule_task' as const, taskUuid, fromState: 'pending', toState: 'pending' };
    await noteAct(tx, { ...act, details: JSON.stringify({ from: wait.until, to: moved }) }, operator);
    return moved;
  });
}

async function openStart(tx: Db, taskUuid: string, past: string): Promise<OpenWait> {
  await lockTasks(tx, [taskUuid]);
  const [wait] = await openWaits(tx, [{ taskUuid, idx: START_IDX }]);
  if (wait) return wait;
  const [task] = await getTasks(tx, [taskUuid]);
  if (!task) throw new TaskerError('task_not_found', `task ${taskUuid} not found`);
  const before = (await waitsOf(tx, taskUuid)).find(({ idx }) => idx === START_IDX);
  const why =
    task.completedAt !== null
      ? `it ended as ${task.status}`
      : before
        ? `it started at ${before.endedAt}`
        : 'it was not created to start later';
  throw new TaskerError('illegal_transition', `task ${taskUuid} cannot be ${past}: ${why}`);
}
