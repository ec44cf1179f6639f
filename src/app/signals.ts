import { Listener } from '../db/listener.ts';
import type { CreatedTask } from '../engine/create-task.ts';
import {
  CHANNEL_ENDED,
  CHANNEL_EVENTS,
  CHANNEL_SCHEDULES,
  CHANNEL_TAKEN,
  CHANNEL_WORK,
  CHANNEL_WORKER,
  DUE,
  type Engine,
} from '../engine/engine.ts';
import { CHANNEL_CHANGES, WANT } from '../engine/streams/change-feed.ts';
import { CHANNEL_SIGNALS } from '../engine/waits/signal-inbox.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { waitsByType } from '../template/task-template.ts';
import { Throttle } from '../time/throttle.ts';
import type { Worker } from '../worker/worker.ts';
import type { TaskWaiter } from './streams/task-waiter.ts';
import type { TaskerDelivery } from './tasker-delivery.ts';
import type { TaskerEvents } from './tasker-events.ts';
import type { TaskerParts } from './tasker-parts.ts';

/** Minimum time between two notifications of one kind. Changes in between are sent together. */
const MIN_INTERVAL_MS = 10;
const LOWEST_RANK = 100;

/** The parts of a tasker that react to events in this process and in others. */
export interface SignalTargets {
  worker: () => Worker | undefined;
  /** The workers that use the HTTP API of this process. */
  httpWorkers: () => Pick<Worker, 'wake' | 'dueIn' | 'look'> | undefined;
  served: ServedNamespaces;
  waiter: TaskWaiter;
  delivery: () => TaskerDelivery | undefined;
  events: TaskerEvents;
}

/**
 * Sends and receives notifications between processes. The first notification is sent immediately, so that an idle
 * system adds no latency. A lost notification only costs latency, because every process also polls.
 */
export class Signals {
  readonly #parts: TaskerParts;
  readonly #targets: SignalTargets;
  readonly #logger: Logger;
  readonly #listener: Listener;
  readonly #work: Throttle;
  readonly #ended: Throttle;
  readonly #events: Throttle;
  #rank = LOWEST_RANK;
  readonly #endedTasks: string[] = [];

  constructor(parts: TaskerParts, targets: SignalTargets) {
    const { engine, open, logger } = parts;
    this.#parts = parts;
    this.#targets = targets;
    this.#logger = moduleLogger(logger, 'app');
    this.#listener = new Listener(
      open.database,
      [
        CHANNEL_WORK,
        CHANNEL_ENDED,
        CHANNEL_TAKEN,
        CHANNEL_EVENTS,
        CHANNEL_WORKER,
        CHANNEL_SIGNALS,
        CHANNEL_SCHEDULES,
        CHANNEL_CHANGES,
      ],
      { onNotify: (channel, payload) => this.#onNotify(channel, payload), onCatchUp: () => this.#catchUp() },
      moduleLogger(logger, 'db'),
    );
    const throttled = (send: () => Promise<void>) =>
      new Throttle(MIN_INTERVAL_MS, () =>
        send().catch((error: unknown) => this.#logger.debug({ error: messageOf(error) }, 'notification failed')),
      );
    this.#work = throttled(() => {
      const rank = this.#rank;
      this.#rank = LOWEST_RANK;
      return engine.announce.work(rank);
    });
    this.#ended = throttled(() => engine.announce.ended(this.#endedTasks.splice(0)));
    this.#events = throttled(() => engine.announce.events());
  }

  /** Whether notifications arrive. */
  get isListening(): boolean {
    return this.#listener.hears;
  }

  start(): Promise<void> {
    return this.#listener.start();
  }

  // ---- receiving

  #onNotify(channel: string, payload: string): void {
    const { worker, httpWorkers, waiter } = this.#targets;
    this.#parts.metrics.instruments.messagesReceived.of(channel).add();
    if (channel === CHANNEL_WORK && payload.startsWith(DUE)) {
      const ms = Number(payload.slice(DUE.length)) || 0;
      worker()?.dueIn(ms);
      httpWorkers()?.dueIn(ms);
    } else if (channel === CHANNEL_WORK) this.#onWork(Number(payload));
    else if (channel === CHANNEL_EVENTS) this.#onEvents();
    else if (channel === CHANNEL_SIGNALS) void this.#parts.engine.signalInbox.use();
    else if (channel === CHANNEL_SCHEDULES) {
      worker()?.look();
      httpWorkers()?.look();
    } else if (channel === CHANNEL_CHANGES) this.#onChanges(payload);
    else if (channel === CHANNEL_TAKEN) worker()?.taken(payload);
    else if (channel === CHANNEL_WORKER) worker()?.asked(payload.split(',').map(Number));
    else waiter.ended(payload.split(','));
  }

  #onWork(rank: number): void {
    const { served } = this.#targets;
    const worker = this.#targets.worker();
    worker?.wake(rank);
    this.#targets.httpWorkers()?.wake();
    // A worker that serves every namespace was started before any namespace existed.
    if (!worker || !served.isWaiting) return;
    served
      .read(this.#parts.engine)
      .then(() => worker.refresh())
      .catch((error: unknown) =>
        this.#logger.debug(
          { error: messageOf(error) },
          'lookup of new namespaces failed; retrying at the next notification',
        ),
      );
  }

  #onEvents(): void {
    this.#targets.delivery()?.wake();
    this.#targets.events.wake();
  }

  #onChanges(payload: string): void {
    const { search, changes } = this.#parts.engine;
    if (payload === WANT) search.log.want();
    else changes.wake();
  }

  #catchUp(): void {
    this.#parts.engine.changes.wake();
    this.#targets.worker()?.wake();
    this.#targets.waiter.catchUp();
    void this.#parts.engine.signalInbox.use();
    this.#onEvents();
  }

  // ---- sending

  /** Reports steps in the queue. `rank`: the lowest of their ranks, which are negative priorities. */
  work(rank: number): void {
    this.#rank = Math.min(this.#rank, rank);
    this.#work.want();
  }

  /** Reports tasks that were created here. */
  created(tasks: readonly CreatedTask[]): void {
    const fresh = tasks.filter((task) => task.created);
    if (fresh.length === 0) return;
    const rank = -Math.max(...fresh.map((task) => task.priority));
    const worker = this.#targets.worker();
    const slots = worker?.freeSlots ?? 0;
    const takesAll = canBegin(fresh, { slots, registry: this.#parts.registry, namespaces: this.#targets.served.names });
    worker?.wake(rank);
    if (!takesAll) this.work(rank);
  }

  /** Reports tasks that ended in a recording of this process. */
  tasksEnded(rows: readonly { taskUuid: string }[]): void {
    const elsewhere = this.#targets.waiter.ended(rows.map((row) => row.taskUuid));
    if (elsewhere.length === 0) return;
    this.#endedTasks.push(...elsewhere);
    this.#ended.want();
  }

  /** Reports that durable events were committed here. */
  eventsStored(): void {
    this.#onEvents();
    this.#events.want();
  }

  /** Sends pending notifications immediately. Resolves when they, and those in progress, have been sent. */
  async flush(): Promise<void> {
    await Promise.all([this.#work.flush(), this.#ended.flush(), this.#events.flush()]);
  }

  /** Drops pending notifications. */
  discardPending(): void {
    for (const throttle of [this.#work, this.#ended, this.#events]) throttle.stop();
  }

  stop(): Promise<void> {
    return this.#listener.stop();
  }
}

/**
 * Returns whether a worker with this many free slots takes new tasks immediately, so that no other worker needs to be
 * woken.
 */
function canBegin(
  tasks: readonly CreatedTask[],
  at: { slots: number; registry: HandlerRegistry | undefined; namespaces: readonly string[] },
): boolean {
  if (at.slots < tasks.reduce((count, { snapshot }) => count + snapshot.graph.roots.length, 0)) return false;
  return tasks.every(
    ({ snapshot: { template, graph } }) =>
      at.namespaces.includes(template.namespace) &&
      graph.roots.every((idx) => {
        const { type, handler } = template.steps[idx]!;
        return at.registry?.canResolve(handler) || waitsByType(type);
      }),
  );
}

/**
 * The namespaces that a worker serves: the configured namespaces, otherwise the namespaces of its templates, otherwise
 * all registered namespaces.
 */
export class ServedNamespaces {
  readonly #configured: readonly string[] | undefined;
  readonly #found: Set<string>;
  readonly #servesAll: boolean;

  constructor({ config, templates }: Pick<TaskerParts, 'config' | 'templates'>) {
    this.#configured = config.namespaces;
    this.#found = new Set(templates.map(({ namespace }) => namespace));
    this.#servesAll = templates.length === 0 && !config.namespaces;
  }

  get names(): readonly string[] {
    return this.#configured ?? [...this.#found].sort();
  }

  /** Whether the worker serves every namespace and none exists yet. */
  get isWaiting(): boolean {
    return this.#servesAll && this.#found.size === 0;
  }

  /** Adds namespaces. Returns whether any of them is new. */
  add(namespaces: readonly string[]): boolean {
    const before = this.#found.size;
    for (const namespace of namespaces) this.#found.add(namespace);
    return this.#found.size > before;
  }

  /** Adds the registered namespaces, if this worker serves all of them. */
  async read(engine: Engine): Promise<void> {
    if (!this.#servesAll) return;
    this.add((await engine.templates.list()).map(({ namespace }) => namespace));
  }
}
