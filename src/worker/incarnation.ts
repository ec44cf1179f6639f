import { hostname } from 'node:os';
import type { Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';

/** Bits of a token that count the claims of one incarnation. */
const COUNTER_BITS = 24;
const COUNTER_END = 2 ** COUNTER_BITS - 1;

/** What a worker says of itself when it registers. */
export interface WorkerIdentity {
  name: string;
  namespaces(): readonly string[];
  callables(): readonly string[];
  concurrency: number;
  leaseMs: number;
}

/** What an incarnation tells its worker. */
export interface IncarnationEvents {
  /** These ids were declared dead: steps held under them may be with others. */
  lost(ids: readonly number[]): void;
  /** Another worker's lease is over: somebody must look after its steps. */
  othersLost(): void;
}

/**
 * Who this worker is in the database, and its proof of life. Each incarnation has an id of its own; its fences are
 * numbers of claiming statements under that id, so that no crash can issue one twice.
 */
export class Incarnation {
  readonly #engine: Engine;
  readonly #identity: WorkerIdentity;
  readonly #events: IncarnationEvents;
  readonly #logger: Logger;
  readonly #held = new Map<number, number>();
  #id = 0;
  #counter = 0;
  #retired = new Set<number>();
  readonly #dead = new Set<number>();
  /** When the newest proof of life that got through was sent, on the clock of `performance.now()`. */
  #provenAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #stopped = false;
  #announced = '';

  constructor(engine: Engine, identity: WorkerIdentity, events: IncarnationEvents, logger: Logger) {
    this.#engine = engine;
    this.#identity = identity;
    this.#events = events;
    this.#logger = logger;
  }

  /** The id under which new steps are claimed. */
  get id(): number {
    return this.#id;
  }

  /**
   * Whether the lease stands for certain. When it does not, because no proof of life got through for too long, others
   * may have been given what is held here.
   */
  get sure(): boolean {
    return performance.now() - this.#provenAt < this.#identity.leaseMs;
  }

  /** False: the incarnation that made this fence was declared dead, and others look after its steps. */
  owns(claim: number): boolean {
    return !this.#dead.has(incarnationOf(claim));
  }

  async start(): Promise<void> {
    await this.#register();
    this.#schedule();
  }

  async #register(): Promise<void> {
    const { name, concurrency, leaseMs } = this.#identity;
    const [namespaces, callables] = [this.#identity.namespaces(), this.#identity.callables()];
    const sentAt = performance.now();
    this.#id = await this.#engine.registerWorker({
      name,
      host: hostname(),
      pid: process.pid,
      namespaces,
      callables,
      concurrency,
      leaseMs,
    });
    this.#counter = 0;
    this.#provenAt = sentAt;
    this.#announced = JSON.stringify([namespaces, callables]);
    this.#logger.info(
      { worker_id: this.#id, worker: name, namespaces, handlers: callables.length },
      'worker registered',
    );
  }

  /** A new fence. Before the counter of this id is used up, the worker registers anew. */
  token(): number {
    if (this.#counter >= COUNTER_END - 10_000 && !this.#retired.has(this.#id)) this.#retire();
    return this.#id * 2 ** COUNTER_BITS + ++this.#counter;
  }

  #retire(): void {
    const old = this.#id;
    this.#retired.add(old);
    this.#register().catch((error: unknown) => {
      this.#retired.delete(old);
      this.#logger.warn({ error: messageOf(error) }, 'the worker could not register anew; trying again');
    });
  }

  /** A step is held under this fence. */
  hold(claim: number): void {
    const id = incarnationOf(claim);
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
  }

  letGo(claim: number): void {
    const id = incarnationOf(claim);
    this.#held.set(id, (this.#held.get(id) ?? 1) - 1);
  }

  /** Says anew what this worker serves, if that changed. */
  async announce(): Promise<void> {
    const [namespaces, callables] = [this.#identity.namespaces(), this.#identity.callables()];
    const announced = JSON.stringify([namespaces, callables]);
    if (announced === this.#announced) return;
    await this.#engine.announceCallables(this.#id, namespaces, callables);
    this.#announced = announced;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat().finally(() => this.#schedule());
    }, this.#identity.leaseMs / 3);
  }

  async #beat(): Promise<void> {
    const ids = [...new Set([this.#id, ...this.#retired])];
    const sentAt = performance.now();
    try {
      const { alive, lost } = await this.#engine.heartbeat(ids, this.#identity.leaseMs);
      const dead = ids.filter((id) => !alive.includes(id));
      if (dead.length > 0) await this.#comeBack(dead);
      else this.#provenAt = sentAt;
      await this.#leaveRetired();
      await this.announce();
      if (lost) this.#events.othersLost();
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'the heartbeat did not get through; trying again');
    }
  }

  async #comeBack(dead: readonly number[]): Promise<void> {
    this.#logger.warn(
      { worker_ids: dead },
      'this worker was taken for dead: its lease was over; its steps are given to others',
    );
    for (const id of dead) {
      this.#retired.delete(id);
      this.#dead.add(id);
    }
    this.#events.lost(dead);
    if (dead.includes(this.#id)) await this.#register();
  }

  async #leaveRetired(): Promise<void> {
    for (const id of this.#retired) {
      if (id === this.#id || (this.#held.get(id) ?? 0) > 0) continue;
      await this.#engine.stopWorker(id);
      this.#retired.delete(id);
      this.#held.delete(id);
    }
  }

  /** No more heartbeats. `clean`: nothing is held, so the worker leaves; else its lease runs out and others look after it. */
  async stop(clean: boolean): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
    clearTimeout(this.#timer);
    if (!clean) return;
    for (const id of new Set([this.#id, ...this.#retired])) await this.#engine.stopWorker(id);
    this.#logger.info({ worker_id: this.#id }, 'worker stopped');
  }
}

/** The incarnation that made a fence. */
export function incarnationOf(claim: number): number {
  return Math.floor(claim / 2 ** COUNTER_BITS);
}
