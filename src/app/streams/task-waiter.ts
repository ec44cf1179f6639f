import { LONGEST_TIMER_MS } from '../../config/value-forms.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Task } from '../../engine/task-view.ts';
import { readTaskWithSteps, type TaskSnapshot } from '../../engine/task-with-steps.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { checkUuid } from '../../model/ids.ts';
import { oldestKeys } from '../../model/oldest-keys.ts';

/** The states that end a wait: the task has ended, or cannot continue until an operator acts. */
const RESTING = new Set(['complete', 'error', 'cancelled', 'resolved_manually', 'blocked_by_failures', 'undone']);
const POLL_MS = 1_000;
/** The first pause between polls for the wait of a task, which is not notified. Later pauses are longer, up to a second. */
const FIRST_POLL_MS = 3;
/** Maximum number of tasks in one read. */
const MAX_READ = 500;
/**
 * Maximum number of tasks to check in one poll, in rotation. This is enough, because notifications are lost only with
 * their connection.
 */
const MAX_POLLED = 1_000;
/** Maximum size of each of two sets: new tasks, and tasks that ended while others were being created. */
const MAX_REMEMBERED = 10_000;

function isResting(state: string): boolean {
  return RESTING.has(state);
}

/** Returns whether a task waits for its start or in a step, and nothing else of it can continue. */
function isWaiting({ status, startsAt }: Task): boolean {
  return status === 'waiting' || startsAt !== null;
}

/** The values of the option `until`. */
const ENDS: readonly unknown[] = ['ended', 'waiting'] satisfies WaitOptions['until'][];

/** One wait for a task. */
interface Waiter {
  readonly taskUuid: string;
  readonly signal: AbortSignal | undefined;
  timer: NodeJS.Timeout | undefined;
  /** The next poll of a wait that also resolves when the task waits. */
  poll: NodeJS.Timeout | undefined;
  isOver: boolean;
  resolve(task: Task): void;
  reject(error: unknown): void;
}

/**
 * Waits for tasks. The end of a task is reported immediately if this process recorded it, and by notification if
 * another process did. A notification may be lost, so the awaited tasks are also polled once a second, up to 1,000 at a
 * time in turn.
 */
export class TaskWaiter {
  readonly #engine: Engine;
  readonly #logger: Logger;
  /** The waiters of each task, usually one. Tasks are in the order in which they are polled. */
  readonly #waiters = new Map<string, Waiter | Set<Waiter>>();
  /** Tasks created here that are not known to have ended. A wait for such a task needs no query. */
  readonly #newTasks = new Set<string>();
  #creations = 0;
  /** Tasks that ended during a creation. A worker may finish a task before the response to its creation arrives. */
  readonly #endedDuringCreation = new Set<string>();
  readonly #bySignal = new WeakMap<AbortSignal, Set<Waiter>>();
  readonly #toCheck = new Set<string>();
  readonly #toRead = new Set<string>();
  #checking: NodeJS.Immediate | undefined;
  #reading: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(engine: Engine, logger: Logger) {
    this.#engine = engine;
    this.#logger = logger;
  }

  /** Resolves with the task once it has ended or is blocked by failures. With `until: 'waiting'`, also once it waits. */
  wait(given: string, { timeoutMs, signal, until = 'ended' }: Omit<WaitOptions, 'throwOnFailure'>): Promise<Task> {
    return new Promise((resolve, reject) => {
      const taskUuid = checkUuid(given, 'the task id');
      if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
        throw new TaskerError('bad_request', `timeoutMs must be a number of milliseconds, 0 or more, got ${timeoutMs}`);
      }
      if (!ENDS.includes(until)) {
        throw new TaskerError('bad_request', `until must be ended or waiting, got ${JSON.stringify(until)}`);
      }
      if (this.#stopped) throw stopped(taskUuid);
      if (signal?.aborted) return reject(signal.reason as Error);
      const settled =
        <T>(then: (outcome: T) => void) =>
        (outcome: T): void => {
          this.#remove(waiter);
          then(outcome);
        };
      const waiter: Waiter = {
        taskUuid,
        signal,
        timer: undefined,
        poll: undefined,
        isOver: false,
        resolve: settled(resolve),
        reject: settled(reject),
      };
      // A longer timeout never fires.
      if (timeoutMs !== undefined && timeoutMs <= LONGEST_TIMER_MS) {
        waiter.timer = setTimeout(() => waiter.reject(tooLate({ taskUuid, timeoutMs, until })), timeoutMs);
      }
      this.#add(waiter);
      if (until === 'waiting') this.#pollForWait(waiter, FIRST_POLL_MS);
    });
  }

  /** Runs a creation, and records the new tasks that are not known to have ended. */
  async creating<T extends { taskUuid: string; created: boolean }>(create: () => Promise<T[]>): Promise<T[]> {
    this.#creations++;
    try {
      const tasks = await create();
      for (const { taskUuid, created } of tasks) {
        if (created && !this.#endedDuringCreation.has(taskUuid)) remember(this.#newTasks, taskUuid);
      }
      return tasks;
    } finally {
      if (--this.#creations === 0) this.#endedDuringCreation.clear();
    }
  }

  #add(waiter: Waiter): void {
    const { taskUuid, signal } = waiter;
    const there = this.#waiters.get(taskUuid);
    if (there instanceof Set) there.add(waiter);
    else this.#waiters.set(taskUuid, there ? new Set([there, waiter]) : waiter);
    if (signal) this.#followSignal(signal).add(waiter);
    if (!this.#newTasks.delete(taskUuid)) this.#check([taskUuid]);
    this.#schedule();
  }

  #remove(waiter: Waiter): void {
    const { taskUuid, signal } = waiter;
    clearTimeout(waiter.timer);
    clearTimeout(waiter.poll);
    waiter.isOver = true;
    const there = this.#waiters.get(taskUuid);
    if (!(there instanceof Set) || (there.delete(waiter) && there.size === 0)) this.#waiters.delete(taskUuid);
    if (signal) this.#bySignal.get(signal)?.delete(waiter);
    this.#schedule();
  }

  #waitersFor(taskUuid: string): Waiter[] {
    const there = this.#waiters.get(taskUuid);
    if (there === undefined) return [];
    return there instanceof Set ? [...there] : [there];
  }

  /** Adds one listener per signal, even if many waits share it. */
  #followSignal(signal: AbortSignal): Set<Waiter> {
    const known = this.#bySignal.get(signal);
    if (known) return known;
    const waiters = new Set<Waiter>();
    this.#bySignal.set(signal, waiters);
    signal.addEventListener('abort', () => {
      for (const waiter of [...waiters]) waiter.reject(signal.reason);
    });
    return waiters;
  }

  /** Reads the tasks that may now be in such a state. Returns the tasks that no call in this process waits for. */
  ended(taskUuids: readonly string[]): string[] {
    const others: string[] = [];
    for (const taskUuid of taskUuids) {
      if (this.#waiters.has(taskUuid)) this.#toRead.add(taskUuid);
      else {
        others.push(taskUuid);
        this.#newTasks.delete(taskUuid);
        // The set is limited, because under steady load a creation is always in progress. If a task is dropped here,
        // the next poll finds it.
        if (this.#creations > 0) remember(this.#endedDuringCreation, taskUuid);
      }
    }
    this.#readSoon();
    return others;
  }

  /** Reports that an operator acted on a task in this process. */
  touched(taskUuid: string): void {
    if (this.#waiters.has(taskUuid)) this.#check([taskUuid]);
    else this.#newTasks.delete(taskUuid);
  }

  /** Polls all awaited tasks, after a period without notifications. */
  catchUp(): void {
    this.#newTasks.clear();
    this.#check(this.#waiters.keys());
  }

  /** Polls the next tasks in turn, and moves them to the end of the order. */
  #pollSome(): void {
    const some: string[] = [];
    for (const taskUuid of this.#waiters.keys()) {
      if (some.length === MAX_POLLED) break;
      some.push(taskUuid);
    }
    if (some.length < this.#waiters.size) {
      for (const taskUuid of some) {
        const waiting = this.#waiters.get(taskUuid)!;
        this.#waiters.delete(taskUuid);
        this.#waiters.set(taskUuid, waiting);
      }
    }
    this.#check(some);
  }

  #check(taskUuids: Iterable<string>): void {
    for (const taskUuid of taskUuids) this.#toCheck.add(taskUuid);
    if (this.#toCheck.size > 0) this.#checking ??= setImmediate(() => void this.#checkNow());
  }

  async #checkNow(): Promise<void> {
    this.#checking = undefined;
    const ids = [...this.#toCheck];
    this.#toCheck.clear();
    try {
      for (let i = 0; i < ids.length; i += MAX_READ) {
        const part = ids.slice(i, i + MAX_READ);
        const states = await this.#engine.taskStates(part);
        this.ended(part.filter((id) => isResting(states.get(id) ?? '')));
        for (const id of part)
          if (!states.has(id)) this.#reject(id, new TaskerError('task_not_found', `task ${id} not found`));
      }
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'poll of awaited tasks failed; retrying');
    }
  }

  /** Polls for the wait of a task, with growing pauses. */
  #pollForWait(waiter: Waiter, pauseMs: number): void {
    waiter.poll = setTimeout(async () => {
      const task = await this.#readWaiting(waiter.taskUuid);
      if (waiter.isOver) return;
      if (task) waiter.resolve(task);
      else this.#pollForWait(waiter, Math.min(pauseMs * 1.5, POLL_MS));
    }, pauseMs);
  }

  /** Returns a task if it waits. Never throws. */
  async #readWaiting(taskUuid: string): Promise<Task | undefined> {
    try {
      if (!(await this.#engine.isWaiting(taskUuid))) return undefined;
      const task = await this.#engine.getTask(taskUuid);
      // The wait may have ended since the poll.
      return isWaiting(task) ? task : undefined;
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'poll of an awaited task failed; retrying');
      return undefined;
    }
  }

  /** Reads one batch at a time. Tasks that end during the read are read together in the next batch. */
  async #read(): Promise<void> {
    const ids = [...this.#toRead].slice(0, MAX_READ);
    for (const id of ids) this.#toRead.delete(id);
    try {
      for (const task of await this.#engine.getTasks(ids)) {
        // An operator may already have restarted a task that was blocked.
        if (isResting(task.status)) for (const waiter of this.#waitersFor(task.taskUuid)) waiter.resolve(task);
      }
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'read of awaited tasks failed; retrying');
    } finally {
      this.#reading = undefined;
      this.#readSoon();
    }
  }

  #readSoon(): void {
    if (this.#toRead.size > 0 && !this.#stopped) this.#reading ??= setImmediate(() => void this.#read());
  }

  #reject(taskUuid: string, error: unknown): void {
    for (const waiter of this.#waitersFor(taskUuid)) waiter.reject(error);
  }

  #schedule(): void {
    if (this.#waiters.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#pollSome();
      this.#schedule();
    }, POLL_MS);
  }

  /** Rejects every wait. */
  stop(): void {
    this.#stopped = true;
    for (const id of [...this.#waiters.keys()]) this.#reject(id, stopped(id));
    clearTimeout(this.#timer);
    if (this.#checking) clearImmediate(this.#checking);
    if (this.#reading) clearImmediate(this.#reading);
  }
}

function tooLate({ taskUuid, timeoutMs, until }: { taskUuid: string; timeoutMs: number; until: string }): TaskerError {
  const what = until === 'waiting' ? 'end or begin to wait' : 'end';
  return new TaskerError('timeout', `task ${taskUuid} did not ${what} within ${timeoutMs} ms`);
}

function stopped(taskUuid: string): TaskerError {
  return new TaskerError(
    'stopped',
    `this tasker was stopped while waiting for task ${taskUuid}; the task itself is not affected`,
  );
}

/** Adds to a set of limited size, and removes its oldest entries if it is full. */
function remember(tasks: Set<string>, taskUuid: string): void {
  tasks.add(taskUuid);
  if (tasks.size <= MAX_REMEMBERED) return;
  for (const oldest of oldestKeys(tasks, MAX_REMEMBERED)) tasks.delete(oldest);
}

/** Options of {@link Tasker.waitForTask}. */
export interface WaitOptions {
  /** Milliseconds. Default: no timeout. */
  timeoutMs?: number;
  /** Rejects with `task_failed` if the task did not complete. Default false: check the task's status. */
  throwOnFailure?: boolean;
  /**
   * `waiting`: the call also resolves when the task waits for something outside, such as an approval, a signal, a time
   * or its start, and no step of it runs or will be retried. Default `ended`.
   */
  until?: 'ended' | 'waiting';
  signal?: AbortSignal;
}

/** @throws TaskerError `task_failed` if the task ended or is blocked by failures, and did not complete */
export function onlySuccess(task: Task): Task {
  const { taskUuid, status } = task;
  if (!isResting(status) || status === 'complete' || status === 'resolved_manually') return task;
  throw new TaskerError('task_failed', `task ${taskUuid} is in ${status}; \`tasker task why ${taskUuid}\` shows why`, {
    details: { status },
  });
}

const WATCH_MS = 250;

/** Options of {@link watchTask}. */
interface Watching {
  engine: Engine;
  waiter: TaskWaiter;
  signal: AbortSignal | undefined;
}

/** Yields the task and its steps after each change, for the last time when the task has ended or is blocked. */
export async function* watchTask(taskUuid: string, { engine, waiter, signal }: Watching): AsyncGenerator<TaskSnapshot> {
  let shown = '';
  while (!signal?.aborted) {
    const { task, steps } = await readTaskWithSteps(engine, taskUuid);
    const now = JSON.stringify([
      task.status,
      steps.map((step) => [step.currentState, step.attempts, step.nextRetryAt, step.wait]),
    ]);
    if (now !== shown) yield { task, steps };
    shown = now;
    if (isResting(task.status)) return;
    await waiter.wait(taskUuid, { timeoutMs: WATCH_MS, signal }).catch((error: unknown) => {
      if (!signal?.aborted) onlyTimeout(error);
    });
  }
}

function onlyTimeout(error: unknown): void {
  if (!(error instanceof TaskerError && error.code === 'timeout')) throw error;
}
