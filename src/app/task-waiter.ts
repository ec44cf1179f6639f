import { LONGEST_TIMER_MS } from '../config/value-forms.ts';
import type { Engine } from '../engine/engine.ts';
import { checkUuid } from '../engine/operate.ts';
import type { Step, Task } from '../engine/task-view.ts';
import { messageOf, TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';

/** Where waiting ends: the task has ended, or rests until an operator acts. */
const RESTING = new Set(['complete', 'error', 'cancelled', 'resolved_manually', 'blocked_by_failures']);
const CHECK_MS = 1_000;
/** Tasks that are read at once. */
const READ_AT_ONCE = 500;
/** Awaited tasks that are asked after each time, in turn: a notification is lost only with its connection. */
const CHECK_AT_ONCE = 1_000;
/** New tasks that are remembered as not ended, and ends that are remembered while tasks are created. */
const NEW_TASKS = 10_000;

/** Whether a wait is over in this state. */
function isResting(state: string): boolean {
  return RESTING.has(state);
}

/** One who waits for a task. */
interface Waiter {
  readonly taskUuid: string;
  readonly signal: AbortSignal | undefined;
  timer: NodeJS.Timeout | undefined;
  resolve(task: Task): void;
  reject(error: unknown): void;
}

/**
 * Those who wait for tasks. Ends that are recorded in this process are told at once, those of others by notification;
 * and because a notification may be lost, awaited tasks are asked after once a second, some thousand in turn.
 */
export class TaskWaiter {
  readonly #engine: Engine;
  readonly #logger: Logger;
  /** By task: one, as a rule, or several. In the order in which they are asked after. */
  readonly #waiters = new Map<string, Waiter | Set<Waiter>>();
  /** Created here, and nothing was heard of their end: whoever waits for one need not ask first. */
  readonly #newTasks = new Set<string>();
  #creations = 0;
  /** Ends that were heard while a creation was under way: a worker may be quicker than its answer. */
  readonly #endedMeanwhile = new Set<string>();
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

  /** Resolves with the task once it has ended or is blocked by failures. */
  wait(given: string, { timeoutMs, signal }: { timeoutMs?: number; signal?: AbortSignal }): Promise<Task> {
    return new Promise((resolve, reject) => {
      const taskUuid = checkUuid(given, 'the task id');
      if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
        throw new TaskerError('bad_request', `timeoutMs must be a number of milliseconds, 0 or more, got ${timeoutMs}`);
      }
      if (this.#stopped) throw stopped(taskUuid);
      if (signal?.aborted) return reject(signal.reason as Error);
      const settled =
        <T>(then: (outcome: T) => void) =>
        (outcome: T): void => {
          this.#remove(waiter);
          then(outcome);
        };
      const waiter: Waiter = { taskUuid, signal, timer: undefined, resolve: settled(resolve), reject: settled(reject) };
      // A longer wait has no end of its own.
      if (timeoutMs !== undefined && timeoutMs <= LONGEST_TIMER_MS) {
        waiter.timer = setTimeout(() => waiter.reject(this.#late(taskUuid, timeoutMs)), timeoutMs);
      }
      this.#add(waiter);
    });
  }

  /** Runs a creation, and remembers what it made: of these tasks, no end was heard yet. */
  async creating<T extends { taskUuid: string; created: boolean }>(create: () => Promise<T[]>): Promise<T[]> {
    this.#creations++;
    try {
      const tasks = await create();
      for (const { taskUuid, created } of tasks) {
        if (created && !this.#endedMeanwhile.has(taskUuid)) remember(this.#newTasks, taskUuid);
      }
      return tasks;
    } finally {
      if (--this.#creations === 0) this.#endedMeanwhile.clear();
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

  /** One listener a signal, however many waits share it. */
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

  #late(taskUuid: string, timeoutMs: number): TaskerError {
    return new TaskerError(
      'timeout',
      `task ${taskUuid} did not end within ${timeoutMs} ms; it goes on, \`tasker task why ${taskUuid}\` tells what it waits for`,
    );
  }

  /** These tasks may rest now. Answers with those that nobody here waits for. */
  ended(taskUuids: readonly string[]): string[] {
    const others: string[] = [];
    for (const taskUuid of taskUuids) {
      if (this.#waiters.has(taskUuid)) this.#toRead.add(taskUuid);
      else {
        others.push(taskUuid);
        this.#newTasks.delete(taskUuid);
        // Under steady load some creation is always under way: what is forgotten here is found by the next look.
        if (this.#creations > 0) remember(this.#endedMeanwhile, taskUuid);
      }
    }
    this.#readSoon();
    return others;
  }

  /** Something was done to a task here. */
  touched(taskUuid: string): void {
    if (this.#waiters.has(taskUuid)) this.#check([taskUuid]);
    else this.#newTasks.delete(taskUuid);
  }

  /** Asks after all awaited tasks: what happened meanwhile was not heard. */
  catchUp(): void {
    this.#newTasks.clear();
    this.#check(this.#waiters.keys());
  }

  /** Asks after those whose turn it is. They go to the end of the line. */
  #checkSome(): void {
    const some: string[] = [];
    for (const taskUuid of this.#waiters.keys()) {
      if (some.length === CHECK_AT_ONCE) break;
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
      for (let i = 0; i < ids.length; i += READ_AT_ONCE) {
        const part = ids.slice(i, i + READ_AT_ONCE);
        const states = await this.#engine.taskStates(part);
        this.ended(part.filter((id) => isResting(states.get(id) ?? '')));
        for (const id of part)
          if (!states.has(id)) this.#reject(id, new TaskerError('task_not_found', `there is no task ${id}`));
      }
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'asking after awaited tasks did not get through; trying again');
    }
  }

  /** One read at a time: what ends meanwhile is read together in the next. */
  async #read(): Promise<void> {
    const ids = [...this.#toRead].slice(0, READ_AT_ONCE);
    for (const id of ids) this.#toRead.delete(id);
    try {
      for (const task of await this.#engine.getTasks(ids)) {
        // A task that was blocked may run again by now, by an operator's hand.
        if (isResting(task.status)) for (const waiter of this.#waitersFor(task.taskUuid)) waiter.resolve(task);
      }
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'awaited tasks could not be read; trying again');
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
      this.#checkSome();
      this.#schedule();
    }, CHECK_MS);
  }

  /** Nobody is left hanging. */
  stop(): void {
    this.#stopped = true;
    for (const id of [...this.#waiters.keys()]) this.#reject(id, stopped(id));
    clearTimeout(this.#timer);
    if (this.#checking) clearImmediate(this.#checking);
    if (this.#reading) clearImmediate(this.#reading);
  }
}

function stopped(taskUuid: string): TaskerError {
  return new TaskerError('stopped', `this tasker was stopped while task ${taskUuid} was awaited; the task is safe`);
}

/** Adds to what is remembered of new tasks; the oldest is forgotten. */
function remember(tasks: Set<string>, taskUuid: string): void {
  if (tasks.size >= NEW_TASKS) tasks.delete(tasks.values().next().value!);
  tasks.add(taskUuid);
}

/** Options of {@link Tasker.waitForTask}. */
export interface WaitOptions {
  /** Milliseconds; without it, as long as it takes. */
  timeoutMs?: number;
  /** Reject with `task_failed` when the task did not complete. Default false: the task tells by its status. */
  throwOnFailure?: boolean;
  signal?: AbortSignal;
}

/** What {@link Tasker.watchTask} yields: the task and its steps, whenever something changed. */
export interface TaskSnapshot {
  task: Task;
  steps: Step[];
}

/** @throws TaskerError `task_failed` unless the task completed */
export function onlySuccess(task: Task): Task {
  const { taskUuid, status } = task;
  if (status === 'complete' || status === 'resolved_manually') return task;
  throw new TaskerError('task_failed', `task ${taskUuid} is ${status}; \`tasker task why ${taskUuid}\` tells why`, {
    details: { status },
  });
}

const WATCH_MS = 250;

/** What a watch needs of its tasker. */
interface Watching {
  engine: Engine;
  waiter: TaskWaiter;
  signal: AbortSignal | undefined;
}

/** Yields the task and its steps whenever something changed, the last time when it rests. */
export async function* watchTask(taskUuid: string, { engine, waiter, signal }: Watching): AsyncGenerator<TaskSnapshot> {
  let shown = '';
  while (!signal?.aborted) {
    const task = await engine.getTask(taskUuid);
    // After the task: of one that rests, the steps are shown as they ended.
    const steps = await engine.getSteps(taskUuid);
    const now = JSON.stringify([
      task.status,
      steps.map((step) => [step.currentState, step.attempts, step.nextRetryAt]),
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
