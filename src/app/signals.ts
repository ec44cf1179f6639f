import { Listener } from '../db/listener.ts';
import type { CreatedTask } from '../engine/create-task.ts';
import { CHANNEL_ENDED, CHANNEL_EVENTS, CHANNEL_TAKEN, CHANNEL_WORK, type Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { Throttle } from '../time/throttle.ts';
import type { Worker } from '../worker/worker.ts';
import type { TaskWaiter } from './task-waiter.ts';
import type { TaskerDelivery } from './tasker-delivery.ts';
import type { TaskerEvents } from './tasker-events.ts';
import type { TaskerParts } from './tasker-parts.ts';

/** Between two notifications of a kind: who does much has more to tell in each. */
const APART_MS = 10;
const LOWEST_RANK = 100;

/** The parts of a tasker that must hear of what happens, here or in other processes. */
export interface Hearers {
  worker: () => Worker | undefined;
  served: ServedNamespaces;
  waiter: TaskWaiter;
  delivery: TaskerDelivery;
  events: TaskerEvents;
}

/**
 * What this process hears of the others, and tells them: the first at once, so that they wait for nothing when there is
 * little to do. Losing a notification costs latency only: every process also polls.
 */
export class Signals {
  readonly #parts: TaskerParts;
  readonly #hearers: Hearers;
  readonly #logger: Logger;
  readonly #listener: Listener;
  readonly #work: Throttle;
  readonly #ended: Throttle;
  readonly #events: Throttle;
  #rank = LOWEST_RANK;
  readonly #endedTasks: string[] = [];

  constructor(parts: TaskerParts, hearers: Hearers) {
    const { engine, open, logger } = parts;
    this.#parts = parts;
    this.#hearers = hearers;
    this.#logger = moduleLogger(logger, 'app');
    this.#listener = new Listener(
      open.database,
      [CHANNEL_WORK, CHANNEL_ENDED, CHANNEL_TAKEN, CHANNEL_EVENTS],
      { onNotify: (channel, payload) => this.#heard(channel, payload), onCatchUp: () => this.#catchUp() },
      moduleLogger(logger, 'db'),
    );
    const paced = (tell: () => Promise<void>) =>
      new Throttle(APART_MS, () =>
        tell().catch((error: unknown) =>
          this.#logger.debug({ error: messageOf(error) }, 'a notification did not get through'),
        ),
      );
    this.#work = paced(() => {
      const rank = this.#rank;
      this.#rank = LOWEST_RANK;
      return engine.wakeWorkers(rank);
    });
    this.#ended = paced(() => engine.announceEnded(this.#endedTasks.splice(0)));
    this.#events = paced(() => engine.announceEvents());
  }

  /** Whether notifications arrive. */
  get hears(): boolean {
    return this.#listener.hears;
  }

  start(): Promise<void> {
    return this.#listener.start();
  }

  // ---- what is heard

  #heard(channel: string, payload: string): void {
    const { worker, waiter } = this.#hearers;
    this.#parts.metrics.instruments.messagesReceived.of(channel).add();
    if (channel === CHANNEL_WORK) this.#heardOfWork(Number(payload));
    else if (channel === CHANNEL_EVENTS) this.#heardOfEvents();
    else if (channel === CHANNEL_TAKEN) worker()?.taken(payload);
    else waiter.ended(payload.split(','));
  }

  #heardOfWork(rank: number): void {
    const { served } = this.#hearers;
    const worker = this.#hearers.worker();
    worker?.wake(rank);
    // A worker that serves everything began before there was anything to serve.
    if (!worker || !served.isWaiting) return;
    served
      .read(this.#parts.engine)
      .then(() => worker.refresh())
      .catch((error: unknown) =>
        this.#logger.debug({ error: messageOf(error) }, 'the new templates are not served yet; they will be'),
      );
  }

  #heardOfEvents(): void {
    this.#hearers.delivery.heard();
    this.#hearers.events.heard();
  }

  #catchUp(): void {
    this.#hearers.worker()?.wake();
    this.#hearers.waiter.catchUp();
    this.#heardOfEvents();
  }

  // ---- notifications

  /** There are steps in the queue, of this rank (minus the priority) or a greater one. */
  work(rank: number): void {
    this.#rank = Math.min(this.#rank, rank);
    this.#work.want();
  }

  /** Tasks were created here. */
  created(tasks: readonly CreatedTask[]): void {
    const fresh = tasks.filter((task) => task.created);
    if (fresh.length === 0) return;
    const rank = -Math.max(...fresh.map((task) => task.priority));
    const worker = this.#hearers.worker();
    const slots = worker?.freeSlots ?? 0;
    const takesAll = canBegin(fresh, { slots, registry: this.#parts.registry, namespaces: this.#hearers.served.names });
    worker?.wake(rank);
    if (!takesAll) this.work(rank);
  }

  /** These tasks are over, by what was recorded here. */
  tasksEnded(rows: readonly { taskUuid: string }[]): void {
    const elsewhere = this.#hearers.waiter.ended(rows.map((row) => row.taskUuid));
    if (elsewhere.length === 0) return;
    this.#endedTasks.push(...elsewhere);
    this.#ended.want();
  }

  /** Durable events were committed here. */
  eventsStored(): void {
    this.#heardOfEvents();
    this.#events.want();
  }

  /** Tells at once what is not told yet. */
  async flush(): Promise<void> {
    await Promise.all([this.#work.flush(), this.#ended.flush(), this.#events.flush()]);
  }

  /** What is not told yet stays so. */
  fallSilent(): void {
    for (const paced of [this.#work, this.#ended, this.#events]) paced.stop();
  }

  stop(): Promise<void> {
    return this.#listener.stop();
  }
}

/** Whether a worker with so many free slots takes new tasks at once: others need not be woken for them. */
function canBegin(
  tasks: readonly CreatedTask[],
  at: { slots: number; registry: HandlerRegistry | undefined; namespaces: readonly string[] },
): boolean {
  if (at.slots < tasks.reduce((count, { snapshot }) => count + snapshot.graph.roots.length, 0)) return false;
  return tasks.every(
    ({ snapshot: { template, graph } }) =>
      at.namespaces.includes(template.namespace) &&
      graph.roots.every((idx) => at.registry?.canResolve(template.steps[idx]!.handler)),
  );
}

/** The namespaces that a worker serves: those that are configured, else those of its templates, else all that are registered. */
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

  /** It serves everything, and there was nothing yet when it began. */
  get isWaiting(): boolean {
    return this.#servesAll && this.#found.size === 0;
  }

  /** Answers whether one of them is new. */
  add(namespaces: readonly string[]): boolean {
    const before = this.#found.size;
    for (const namespace of namespaces) this.#found.add(namespace);
    return this.#found.size > before;
  }

  /** Adds what is registered, for a worker that serves everything. */
  async read(engine: Engine): Promise<void> {
    if (!this.#servesAll) return;
    this.add((await engine.templates.list()).map(({ namespace }) => namespace));
  }
}
