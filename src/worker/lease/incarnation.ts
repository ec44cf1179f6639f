import { hostname } from 'node:os';
import type { Engine } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { announcedNames } from '../../registry/announcement.ts';
import { HeartbeatThread } from './heartbeat-thread.ts';
import { SharedLoopState, sharedNow } from './loop-watch.ts';

/** Bits of a token that count the claims of one incarnation. */
const COUNTER_BITS = 24;
const COUNTER_END = 2 ** COUNTER_BITS - 1;
/** Before the counter is used up, registering anew must have got through. */
const SPARE_CLAIMS = 10_000;
/** A retired id stays for longer than a lost claim may still commit, and than its fence is kept in doubt. */
const KEEP_RETIRED_MS = 90_000;
const FIRST_PAUSE_MS = 50;

/** What a worker says of itself when it registers. */
export interface WorkerIdentity {
  name: string;
  namespaces(): readonly string[];
  callables(): readonly string[];
  concurrency: number;
  leaseMs: number;
  /** Milliseconds for which the lease outlives a blocked event loop. Default 0: it does not. */
  blockedLoopBoundMs?: number;
  /** What knows when the event loop turns. Default: nobody does. */
  memory?: SharedLoopState;
  /** Fences that one id has; tests take fewer. */
  fences?: number;
  /** Milliseconds that an id is kept after its last fence was given. Default 90,000. */
  keepRetiredMs?: number;
}

/** What an incarnation tells its worker. */
export interface IncarnationEvents {
  /** These ids were declared dead: steps held under them may be with others. */
  lost(ids: readonly number[]): void;
  /** Another worker's lease is over: somebody must look after its steps. */
  othersLost(): void;
  /** Whether steps may be held under fences of this id that the worker does not know of yet. */
  inDoubt(id: number): boolean;
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
  /** Ids under which nothing more is claimed, and when that began. */
  readonly #retired = new Map<number, number>();
  readonly #dead = new Set<number>();
  /** When proofs of life got through, those of the guard too. */
  readonly #memory: SharedLoopState;
  readonly #guard: HeartbeatThread;
  #failedBeats = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #stopped = false;
  #announced = '';

  constructor(engine: Engine, identity: WorkerIdentity, events: IncarnationEvents, logger: Logger) {
    this.#engine = engine;
    this.#identity = identity;
    this.#events = events;
    this.#logger = logger;
    this.#memory = identity.memory ?? new SharedLoopState();
    const { leaseMs, blockedLoopBoundMs: boundMs = 0 } = identity;
    this.#guard = new HeartbeatThread({ reach: engine.database.reach, leaseMs, boundMs, memory: this.#memory, logger });
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
    return sharedNow() - this.#memory.provenAt < this.#identity.leaseMs;
  }

  /** False: the incarnation that made this fence was declared dead, and others look after its steps. */
  owns(claim: number): boolean {
    return !this.#dead.has(incarnationOf(claim));
  }

  /** No statement may hold up the next heartbeat for longer than the lease has room for. */
  get #patience(): { timeoutMs: number } {
    return { timeoutMs: this.#identity.leaseMs / 3 };
  }

  async start(): Promise<void> {
    await this.#register();
    this.#guard.start();
    this.#schedule();
  }

  /** Everything that this worker may hold steps under. */
  get ids(): number[] {
    return [...new Set([this.#id, ...this.#retired.keys()])];
  }

  async #register(): Promise<void> {
    const { name, concurrency, leaseMs } = this.#identity;
    const [namespaces, callables] = [this.#identity.namespaces(), this.#identity.callables()];
    const sentAt = sharedNow();
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
    this.#memory.proven(sentAt);
    this.#guard.watch(this.ids);
    this.#announced = JSON.stringify([namespaces, callables]);
    this.#logger.info(
      { worker_id: this.#id, worker: name, namespaces, handlers: announcedNames(callables).length },
      'worker registered',
    );
  }

  /** A new fence. Before the counter of this id is used up, the worker registers anew. */
  token(): number {
    const { fences = COUNTER_END - SPARE_CLAIMS } = this.#identity;
    if (this.#counter >= fences && !this.#retired.has(this.#id)) this.#retire();
    return this.#id * 2 ** COUNTER_BITS + ++this.#counter;
  }

  #retire(): void {
    const old = this.#id;
    this.#retired.set(old, performance.now());
    this.#register().then(
      () => this.#retired.set(old, performance.now()),
      (error: unknown) => {
        this.#retired.delete(old);
        this.#logger.warn({ error: messageOf(error) }, 'the worker could not register anew; trying again');
      },
    );
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
    await this.#engine.announceCallables({ id: this.#id, namespaces, callables }, this.#patience);
    this.#announced = announced;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat().finally(() => this.#schedule());
    }, this.#pauseMs());
  }

  /** A beat that did not get through is sent again soon: the lease has room for few of them. */
  #pauseMs(): number {
    const regular = this.#identity.leaseMs / 3;
    return this.#failedBeats === 0 ? regular : Math.min(regular, FIRST_PAUSE_MS * 2 ** Math.min(this.#failedBeats, 8));
  }

  async #beat(): Promise<void> {
    const ids = this.ids;
    const sentAt = sharedNow();
    try {
      const { alive, lost } = await this.#engine.heartbeat(ids, this.#identity.leaseMs);
      this.#failedBeats = 0;
      if (!this.sure) this.#memory.cameBack(sentAt);
      const dead = ids.filter((id) => !alive.includes(id));
      if (dead.length > 0) await this.#comeBack(dead);
      else this.#memory.proven(sentAt);
      await this.#leaveRetired();
      await this.announce();
      // What cut this worker off may have cut off the others too: they get the time to come back.
      if (lost && sentAt - this.#memory.backAt >= this.#identity.leaseMs) this.#events.othersLost();
    } catch (error) {
      const level = this.#failedBeats++ === 0 ? 'warn' : 'debug';
      this.#logger[level]({ error: messageOf(error) }, 'the heartbeat did not get through; trying again');
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
    else this.#guard.watch(this.ids);
  }

  async #leaveRetired(): Promise<void> {
    const { keepRetiredMs = KEEP_RETIRED_MS } = this.#identity;
    for (const [id, since] of this.#retired) {
      if (id === this.#id || (this.#held.get(id) ?? 0) > 0 || this.#events.inDoubt(id)) continue;
      if (performance.now() - since < keepRetiredMs) continue;
      await this.#engine.stopWorker(id, this.#patience);
      this.#retired.delete(id);
      this.#held.delete(id);
      this.#guard.watch(this.ids);
    }
  }

  /** No more heartbeats. `clean`: nothing is held, so the worker leaves; else its lease runs out and others look after it. */
  async stop(clean: boolean): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
    clearTimeout(this.#timer);
    await this.#guard.stop();
    if (!clean) return;
    for (const id of this.ids) await this.#engine.stopWorker(id, this.#patience);
    this.#logger.info({ worker_id: this.#id }, 'worker stopped');
  }
}

/** The incarnation that made a fence. */
export function incarnationOf(claim: number): number {
  return Math.floor(claim / 2 ** COUNTER_BITS);
}
