import type { Database } from '../db/database.ts';
import { messageOf, TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { checkUuid, stepIndex } from '../model/ids.ts';
import { isStorableText } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { ENDINGS } from '../store/acts/operate.ts';
import { endPausesOfEnded } from '../store/acts/pauses.ts';
import { notify } from '../store/queue.ts';
import { findStep, stepNames } from '../store/read-steps.ts';
import type { StepKey } from '../store/step-key.ts';
import { type Activation, activateTemplate } from './activate-template.ts';
import { AttemptCounter, type AttemptCounterOptions } from './analytics/attempt-counter.ts';
import type { CreatedTask } from './create-task.ts';
import { type AddOptions, addTask, changeDeadLetters, type DeadLetterChange } from './dead-letters/acts.ts';
import { type DeadLetterDetails, findDeadLetter } from './dead-letters/entries.ts';
import { type Redrive, redrive } from './dead-letters/redrive.ts';
import { type AskedWorker, askWorker } from './drain-worker.ts';
import { EngineCounts } from './engine-counts.ts';
import { DYNAMIC_LIMITS, type DynamicLimits } from './expansion.ts';
import {
  deleteTask,
  endTask,
  type OperatorOptions,
  resetStep,
  retryStep,
  retryTask,
  type SettleOptions,
  settleStep,
} from './operate.ts';
import { changePause, type PauseResult, type PauseTarget, settle } from './pause.ts';
import type { Replica } from './replica.ts';
import { type CopyOptions, copiesOf, copyTask } from './rerun/copy-task.ts';
import { type RerunOptions, rerunTask, type TaskRerun } from './rerun/rerun.ts';
import { SearchProjector, type SearchProjectorOptions } from './search/projector.ts';
import type { Task } from './task-view.ts';
import { TemplateStore, type TemplateStoreOptions } from './template-store.ts';
import { SignalInbox } from './waits/signal-inbox.ts';
import { rescheduleTask, startTaskNow } from './waits/start.ts';
import { fireTimer, moveTimer, newTimeOf, type TimerTime } from './waits/timers.ts';
import {
  completeByToken,
  extendByToken,
  failByToken,
  type TokenError,
  type TokenUse,
  type UsedToken,
} from './waits/tokens.ts';
import type { EndedWait } from './waits/waits.ts';

/** Wakes workers when steps are queued. Payload: the smallest rank, which is minus the highest priority. */
export const CHANNEL_WORK = 'tasker_work';
/** Prefix of a payload of {@link CHANNEL_WORK} that contains the milliseconds until a wait is due. */
export const DUE = 'due ';
/** Reports ended tasks to the callers that wait for them. Payload: the ids of the tasks. */
export const CHANNEL_ENDED = 'tasker_ended';
/** Notifies workers that they may have lost steps of a task. Payload: the id of the task. */
export const CHANNEL_TAKEN = 'tasker_taken';
/** Notifies workers that an operator has a request for them. Payload: the ids of the workers. */
export const CHANNEL_WORKER = 'tasker_worker';
/** Notifies workers that the next due time of a schedule may have changed. No payload. */
export const CHANNEL_SCHEDULES = 'tasker_schedules';
/** Notifies processes that deliver domain events that new events were stored. No payload. */
export const CHANNEL_EVENTS = 'tasker_events';

/** Maximum number of ids in one notification, whose payload must stay below 8,000 bytes. */
const IDS_IN_A_PAYLOAD = 200;

/**
 * If the queue does not reflect a change of a pause after this time, the process that made the change has probably
 * died.
 */
const UNFINISHED_MS = 5_000;

/** A step, by its name or id and the id of its task. */
export interface StepReference {
  taskUuid: string;
  /** The step's name or its id. */
  step: string;
}

/** The effects of actions on tasks, for the processes that run these tasks or wait for them. */
export interface ActEffects {
  /** The tasks that were changed. */
  tasks: readonly string[];
  /** The tasks that ended, by state. */
  ended?: Record<string, string[]>;
  /** The tasks whose running steps were taken from their workers. */
  taken?: readonly string[];
  /** Whether steps were queued. */
  queued?: boolean;
}

/** Options of an {@link EngineActs | engine}. */
export interface EngineOptions extends Partial<DynamicLimits>, Pick<TemplateStoreOptions, 'filesForHttpTemplates'> {
  search?: SearchProjectorOptions;
  analytics?: AttemptCounterOptions;
  /** A standby for lists and statistics. */
  replica?: Replica | undefined;
}

/** The actions of operators on tasks, steps, pauses and workers, and the notifications about the changes. */
export abstract class EngineActs {
  readonly database: Database;
  readonly templates: TemplateStore;
  /** Writes the tables that searches read. */
  readonly search: SearchProjector;
  /** Counts attempts and ended tasks for the statistics. */
  readonly analytics: AttemptCounter;
  /** Delivers the signals that callers sent in their own transactions. */
  readonly signalInbox: SignalInbox;
  protected readonly replica: Replica | undefined;
  protected readonly logger: Logger;
  protected readonly count: EngineCounts;

  constructor(database: Database, logger: Logger, options: EngineOptions = {}) {
    const { search, analytics, replica, filesForHttpTemplates, ...limits } = options;
    this.replica = replica;
    this.database = database;
    this.logger = logger;
    this.count = new EngineCounts(database.metrics.instruments);
    this.templates = new TemplateStore(database, logger, {
      limits: { ...DYNAMIC_LIMITS, ...limits },
      filesForHttpTemplates,
    });
    this.search = new SearchProjector(database, logger, search);
    this.analytics = new AttemptCounter(database, logger, analytics);
    this.signalInbox = new SignalInbox(this, logger);
  }

  abstract getTask(taskUuid: string): Promise<Task>;

  async cancelTask(given: string, options: OperatorOptions = {}): Promise<boolean> {
    const taskUuid = checkUuid(given, 'the task id');
    return this.#endTask(taskUuid, 'cancel', options);
  }

  /** Ends a task by hand as resolved. Returns false if it had already ended. */
  async resolveTask(given: string, options: OperatorOptions = {}): Promise<boolean> {
    return this.#endTask(checkUuid(given, 'the task id'), 'resolve', options);
  }

  async #endTask(taskUuid: string, action: keyof typeof ENDINGS, options: OperatorOptions): Promise<boolean> {
    const ended = await this.#noting(taskUuid, endTask(this.database, { taskUuid, action }, options));
    if (!ended) return false;
    await this.announceActs({
      tasks: [taskUuid],
      ended: { [ENDINGS[action]]: [taskUuid] },
      taken: ended.running > 0 ? [taskUuid] : [],
    });
    return true;
  }

  /** Deletes a task that has ended. */
  async deleteTask(given: string, options: OperatorOptions = {}): Promise<void> {
    const taskUuid = checkUuid(given, 'the task id');
    await this.#noting(taskUuid, deleteTask(this.database, taskUuid, options));
    await this.announceActs({ tasks: [taskUuid] });
  }

  /** Retries a step that failed or waits for a retry. */
  async retryStep(reference: StepReference, options: OperatorOptions = {}): Promise<void> {
    const step = await this.find(reference);
    await this.#noting(step.taskUuid, retryStep(this.database, step, options));
    await this.announceActs({ tasks: [step.taskUuid], queued: true });
  }

  /** Retries the steps of a task that failed or wait for a retry, and returns their names. */
  async retryTask(given: string, options: OperatorOptions = {}): Promise<string[]> {
    const taskUuid = checkUuid(given, 'the task id');
    const steps = await this.#noting(taskUuid, retryTask(this.database, taskUuid, options));
    await this.announceActs({ tasks: [taskUuid], queued: true });
    const names = await stepNames(this.database, taskUuid);
    return steps.map((idx) => names.get(idx) ?? String(idx));
  }

  /** Announces the effects of actions on tasks to all processes. Call it after the actions have committed. */
  async announceActs({ tasks, ended = {}, taken = [], queued = false }: ActEffects): Promise<void> {
    for (const taskUuid of tasks) this.search.writeSoon(taskUuid);
    this.analytics.noticed();
    for (const [state, ids] of Object.entries(ended)) {
      if (state === 'cancelled' || state === 'resolved_manually') this.count.ended(state, ids.length);
    }
    if (taken.length > 0) await this.tell(CHANNEL_TAKEN, taken);
    const over = Object.values(ended).flat();
    if (over.length > 0) await this.announceEnded(over);
    if (queued) await this.wakeWorkers();
  }

  /** Completes a timer step now. */
  async fireTimer(reference: StepReference, options: OperatorOptions = {}): Promise<void> {
    const step = await this.find(reference);
    await this.announceWaits([await this.#noting(step.taskUuid, fireTimer(this, step, options))]);
  }

  /** Changes the time at which a timer step ends, and returns it. */
  async moveTimer(reference: StepReference, until: TimerTime, options: OperatorOptions = {}): Promise<string> {
    const at = newTimeOf(until, 'the time of the timer');
    const step = await this.find(reference);
    const moved = await this.#noting(step.taskUuid, moveTimer(this, step, at, options));
    await this.announceDue(moved);
    return moved;
  }

  /**
   * Notifies workers when a wait will be due (ISO 8601). Without the notification, they find the wait at their next
   * poll.
   */
  async announceDue(at: string): Promise<void> {
    await this.tell(CHANNEL_WORK, [`${DUE}${Math.max(0, Date.parse(at) - Date.now())}`]);
  }

  /** Starts a task now instead of at its start time. */
  async startTaskNow(given: string, options: OperatorOptions = {}): Promise<void> {
    const taskUuid = checkUuid(given, 'the task id');
    await this.announceWaits([await this.#noting(taskUuid, startTaskNow(this, taskUuid, options))]);
  }

  /** Changes the time at which a task begins, and returns it. */
  async rescheduleTask(given: string, at: TimerTime, options: OperatorOptions = {}): Promise<string> {
    const taskUuid = checkUuid(given, 'the task id');
    const time = newTimeOf(at, 'the start');
    const moved = await this.#noting(taskUuid, rescheduleTask(this, taskUuid, { ...options, time }));
    await this.announceDue(moved);
    return moved;
  }

  async completeByToken(token: string, result: unknown): Promise<TokenUse> {
    return this.#usedToken(await completeByToken(this, token, result));
  }

  async failByToken(token: string, error: string | TokenError): Promise<TokenUse> {
    return this.#usedToken(await failByToken(this, token, error));
  }

  async #usedToken({ ended, ...use }: UsedToken): Promise<TokenUse> {
    await this.announceWaits([ended]);
    return use;
  }

  /** Extends the wait of a token, and returns its new limit. */
  extendByToken(token: string, timeoutMs: number): Promise<string> {
    return extendByToken(this, token, timeoutMs);
  }

  /** Announces waits that have ended, to all processes. Call it after the commit, with the results of `endLocked`. */
  async announceWaits(waits: readonly (EndedWait | undefined)[]): Promise<void> {
    const ended = waits.filter((wait) => wait !== undefined);
    if (ended.length === 0) return;
    for (const { taskUuid, task } of ended) {
      if (task === undefined) this.search.changed(taskUuid);
      else this.search.writeSoon(taskUuid);
    }
    this.analytics.noticed();
    const taken = ended.filter((wait) => wait.takenFrom).map((wait) => wait.taskUuid);
    if (taken.length > 0) await this.tell(CHANNEL_TAKEN, taken);
    const over = ended.filter((wait) => wait.task !== undefined).map((wait) => wait.taskUuid);
    if (over.length > 0) await this.announceEnded(over);
    const ready = ended.filter((wait) => wait.queued);
    if (ready.length > 0) await this.wakeWorkers(Math.min(...ready.map((wait) => wait.rank)));
  }

  async resetStep(reference: StepReference, options: OperatorOptions = {}): Promise<void> {
    const step = await this.find(reference);
    await this.#noting(step.taskUuid, resetStep(this.database, step, options));
    await this.wakeWorkers();
  }

  /** Runs a task again from a step. Fires the abort signals of the running steps that the rerun covers. */
  async rerunTask(given: string, options: RerunOptions): Promise<TaskRerun> {
    const taskUuid = checkUuid(given, 'the task id');
    const { running, rank, ...rerun } = await this.#noting(taskUuid, rerunTask(this, taskUuid, options));
    if (rerun.dryRun) return rerun;
    await this.wakeWorkers(rank);
    if (running > 0) await this.tell(CHANNEL_TAKEN, [taskUuid]);
    return rerun;
  }

  /** Creates a copy of a task, and links it to the original. */
  async copyTask(given: string, options: CopyOptions = {}): Promise<CreatedTask> {
    const taskUuid = checkUuid(given, 'the task id');
    const [copy] = await this.count.creation(async () => [await copyTask(this, taskUuid, options)]);
    this.search.writeSoon(copy!.taskUuid);
    return copy!;
  }

  /** Returns the ids of the copies of a task, newest first, at most 100. @throws TaskerError `invalid_uuid` */
  async copiesOf(taskUuid: string): Promise<string[]> {
    return copiesOf(this, checkUuid(taskUuid, 'the task id'));
  }

  /** Adds a task to the dead letters, and returns the entry. */
  async addDeadLetter(taskUuid: string, options: AddOptions = {}): Promise<DeadLetterDetails> {
    const id = await addTask(this.database, taskUuid, options);
    this.count.on.deadLettersAdded.add();
    return findDeadLetter(this.database, id);
  }

  /** Changes dead letters, and returns their number. */
  async changeDeadLetters(
    ids: string | readonly string[],
    change: DeadLetterChange,
    options: OperatorOptions = {},
  ): Promise<number> {
    const { changed, seconds } = await changeDeadLetters(this.database, ids, change, options);
    this.count.deadLettersClosed(seconds);
    return changed;
  }

  /** Lets a task of the dead letters run again, and closes its entry. */
  async redrive(id: string, options: OperatorOptions = {}): Promise<Redrive> {
    const { seconds, ...done } = await redrive(this, id, options);
    this.count.deadLettersClosed(seconds);
    await this.announceActs({ tasks: [done.taskUuid], queued: true });
    return done;
  }

  resolveStep(reference: StepReference, options: OperatorOptions & { result?: unknown } = {}): Promise<void> {
    return this.#settle(reference, { ...options, action: 'resolve' });
  }

  completeStep(
    reference: StepReference,
    options: OperatorOptions & Pick<SettleOptions, 'result' | 'metadata'> = {},
  ): Promise<void> {
    return this.#settle(reference, { ...options, action: 'complete' });
  }

  async #settle(reference: StepReference, options: SettleOptions): Promise<void> {
    const step = await this.find(reference);
    const taskState = await this.#noting(step.taskUuid, settleStep(this, step, options));
    if (taskState === 'steps_in_process') await this.wakeWorkers();
    await this.#announceEnd(step.taskUuid, true);
  }

  /**
   * Marks a task as changed for the search even if the response to the action is lost, because the action may have been
   * committed.
   */
  async #noting<T>(taskUuid: string, act: Promise<T>): Promise<T> {
    try {
      return await act;
    } finally {
      this.search.writeSoon(taskUuid);
      this.analytics.noticed();
    }
  }

  /** Makes a version of a template the active version. */
  activateTemplate(template: string, options: OperatorOptions = {}): Promise<Activation> {
    return activateTemplate(this, template, options);
  }

  /** Pauses a task, a template or a namespace. Once it returns, no step that the pause covers can start. */
  pause(target: PauseTarget, options: OperatorOptions = {}): Promise<PauseResult> {
    return this.#changePause(target, { action: 'pause', options });
  }

  resume(target: PauseTarget, options: OperatorOptions = {}): Promise<PauseResult> {
    return this.#changePause(target, { action: 'resume', options });
  }

  async #changePause(target: PauseTarget, change: Parameters<typeof changePause>[2]): Promise<PauseResult> {
    const { rank, ...result } = await changePause(this, target, change);
    if (result.scope === 'task') this.search.writeSoon(result.target);
    if (change.action === 'resume' && result.steps > 0) await this.wakeWorkers(rank ?? 0);
    return result;
  }

  /** Completes pauses whose process died, and ends the pauses of tasks that have ended. */
  async settlePauses(): Promise<void> {
    await endPausesOfEnded(this.database);
    const { steps, rank } = await settle(this.database, { olderMs: UNFINISHED_MS });
    if (steps > 0) await this.wakeWorkers(rank ?? 0);
  }

  async #announceEnd(taskUuid: string, taken: boolean): Promise<void> {
    if (taken) await this.tell(CHANNEL_TAKEN, [taskUuid]);
    await this.tell(CHANNEL_ENDED, [taskUuid]);
  }

  protected async find({ taskUuid: given, step }: StepReference): Promise<StepKey> {
    const taskUuid = checkUuid(given, 'the task id');
    const idx = isStorableText(step)
      ? await findStep(this.database, { taskUuid, name: step, idx: stepIndex(taskUuid, step) })
      : undefined;
    if (idx !== undefined) return { taskUuid, idx };
    await this.getTask(taskUuid);
    const names = [...(await stepNames(this.database, taskUuid)).values()];
    const near = nearNames(step, names);
    throw new TaskerError(
      'step_not_found',
      `task ${taskUuid} has no step ${step}; ${near.length > 0 ? `did you mean ${near.join(' or ')}? It` : 'it'} has ${names.slice(0, 20).join(', ')}`,
    );
  }

  /** Asks a worker of any process to stop taking steps, or to take steps again. */
  async askWorker(worker: string | number, options: OperatorOptions & { drain: boolean }): Promise<AskedWorker> {
    const asked = await askWorker(this.database, worker, options);
    await this.tell(CHANNEL_WORKER, [asked.ids.join(',')]);
    return asked;
  }

  /** Wakes the workers of other processes. `rank`: the smallest rank of the queued steps. */
  async wakeWorkers(rank = 0): Promise<void> {
    await this.tell(CHANNEL_WORK, [String(rank)]);
  }

  /** Notifies all processes that deliver domain events, this one included. */
  async announceEvents(): Promise<void> {
    await this.tell(CHANNEL_EVENTS, ['']);
  }

  /** Notifies all workers that the next due time of a schedule may have changed. */
  async announceSchedules(): Promise<void> {
    await this.tell(CHANNEL_SCHEDULES, ['']);
  }

  /** Notifies the processes that wait for these tasks. */
  async announceEnded(taskUuids: readonly string[]): Promise<void> {
    const payloads: string[] = [];
    for (let i = 0; i < taskUuids.length; i += IDS_IN_A_PAYLOAD) {
      payloads.push(taskUuids.slice(i, i + IDS_IN_A_PAYLOAD).join(','));
    }
    await this.tell(CHANNEL_ENDED, payloads);
  }

  /**
   * Sends notifications of changes that are already committed. A lost notification costs only latency, because every
   * process also polls.
   */
  protected async tell(channel: string, payloads: readonly string[]): Promise<void> {
    try {
      await notify(this.database, channel, payloads);
      this.count.on.messagesSent.of(channel).add(payloads.length);
    } catch (error) {
      this.count.on.messagesLost.of(channel).add(payloads.length);
      this.logger.debug({ channel, error: messageOf(error) }, 'notification failed');
    }
  }
}
