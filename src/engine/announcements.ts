import type { Database } from '../db/database.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { notify } from '../store/queue.ts';
import type { AttemptCounter } from './analytics/attempt-counter.ts';
import type { EngineCounts } from './engine-counts.ts';
import type { SearchProjector } from './search/projector.ts';
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

interface Parts {
  database: Database;
  logger: Logger;
  count: EngineCounts;
  search: SearchProjector;
  analytics: AttemptCounter;
  /** Called with the tasks that have ended, or that an operator acted on. */
  changed(taskUuids: readonly string[]): void;
  /** Called when steps may have become ready. */
  queued(): void;
}

/** Announces changes that are committed, to all processes and to the tables that are written in the background. */
export class Announcements {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Announces the effects of actions on tasks to all processes. Call it after the actions have committed. */
  async acts({ tasks, ended = {}, taken = [], queued = false }: ActEffects): Promise<void> {
    for (const taskUuid of tasks) this.#parts.search.writeSoon(taskUuid);
    this.#parts.changed(tasks);
    this.#parts.analytics.noticed();
    for (const [state, ids] of Object.entries(ended)) {
      if (state === 'cancelled' || state === 'resolved_manually') this.#parts.count.ended(state, ids.length);
    }
    if (taken.length > 0) await this.tell(CHANNEL_TAKEN, taken);
    const over = Object.values(ended).flat();
    if (over.length > 0) await this.ended(over);
    if (queued) await this.work();
  }

  /**
   * Notifies workers when a wait will be due (ISO 8601). Without the notification, they find the wait at their next
   * poll.
   */
  async due(at: string): Promise<void> {
    await this.tell(CHANNEL_WORK, [`${DUE}${Math.max(0, Date.parse(at) - Date.now())}`]);
  }

  /** Announces waits that have ended, to all processes. Call it after the commit, with the results of `endLocked`. */
  async waits(waits: readonly (EndedWait | undefined)[]): Promise<void> {
    const ended = waits.filter((wait) => wait !== undefined);
    if (ended.length === 0) return;
    for (const { taskUuid, task } of ended) {
      if (task === undefined) this.#parts.search.changed(taskUuid);
      else this.#parts.search.writeSoon(taskUuid);
    }
    this.#parts.analytics.noticed();
    const taken = ended.filter((wait) => wait.takenFrom).map((wait) => wait.taskUuid);
    if (taken.length > 0) await this.tell(CHANNEL_TAKEN, taken);
    const over = ended.filter((wait) => wait.task !== undefined).map((wait) => wait.taskUuid);
    if (over.length > 0) await this.ended(over);
    const ready = ended.filter((wait) => wait.queued);
    if (ready.length > 0) await this.work(Math.min(...ready.map((wait) => wait.rank)));
  }

  /** Wakes the workers of other processes. `rank`: the smallest rank of the queued steps. */
  async work(rank = 0): Promise<void> {
    this.#parts.queued();
    await this.admitted(rank);
  }

  /** Wakes the workers of other processes for steps with limits that may start now. */
  async admitted(rank: number): Promise<void> {
    await this.tell(CHANNEL_WORK, [String(rank)]);
  }

  /** Notifies all processes that deliver domain events, this one included. */
  async events(): Promise<void> {
    await this.tell(CHANNEL_EVENTS, ['']);
  }

  /** Notifies all workers that the next due time of a schedule may have changed. */
  async schedules(): Promise<void> {
    await this.tell(CHANNEL_SCHEDULES, ['']);
  }

  /** Notifies the processes that wait for these tasks, and the steps whose children they are. */
  async ended(taskUuids: readonly string[]): Promise<void> {
    this.#parts.changed(taskUuids);
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
  async tell(channel: string, payloads: readonly string[]): Promise<void> {
    try {
      await notify(this.#parts.database, channel, payloads);
      this.#parts.count.on.messagesSent.of(channel).add(payloads.length);
    } catch (error) {
      this.#parts.count.on.messagesLost.of(channel).add(payloads.length);
      this.#parts.logger.debug({ channel, error: messageOf(error) }, 'notification failed');
    }
  }
}
