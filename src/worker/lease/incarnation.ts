import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { packageVersion } from '../../config/package-version.ts';
import type { Engine, ServedNames } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { Announced, type WantedHandler } from '../../model/announced.ts';
import { announcedNames } from '../../registry/announcement.ts';
import { HeartbeatThread } from './heartbeat-thread.ts';
import type { LoadReport } from './load-report.ts';
import { SharedLoopState, sharedNow } from './loop-watch.ts';

/** Bits of a token that count the claims of one incarnation. */
const COUNTER_BITS = 24;
const COUNTER_END = 2 ** COUNTER_BITS - 1;
/** Number of remaining fences at which the worker registers again. Registering must succeed before they are used up. */
const SPARE_CLAIMS = 10_000;
/**
 * How long a retired id is kept: longer than an unanswered claim may take to commit, and longer than its fence is in
 * doubt.
 */
const KEEP_RETIRED_MS = 90_000;
const FIRST_PAUSE_MS = 50;

/** The data with which a worker registers. */
export interface WorkerIdentity {
  name: string;
  namespaces(): readonly string[];
  callables(): readonly string[];
  /** Whether `callables` covers every handler that the worker can find. Default: false. */
  announcesAll?(): boolean;
  concurrency: number;
  leaseMs: number;
  /** Milliseconds for which the lease is kept while the event loop is blocked. Default 0. */
  blockedLoopBoundMs?: number;
  /** State shared with the heartbeat thread. Default: a new one. */
  memory?: SharedLoopState;
  /** The load to report with heartbeats. Default: none is reported. */
  load?: LoadReport;
  /** Number of fences per id; smaller in tests. */
  fences?: number;
  /** How long an id is kept after its last fence was issued, in milliseconds. Default 90,000. */
  keepRetiredMs?: number;
}

/** Callbacks from an incarnation to its worker. */
export interface IncarnationEvents {
  /** Called when these ids were declared dead. Other workers may have the steps held under them. */
  lost(ids: readonly number[]): void;
  /** Called when the lease of another worker expired. Its steps must be reclaimed. */
  othersLost(): void;
  /** Called with each heartbeat. `wanted`: whether an operator wants this worker to stop taking steps. */
  drain?(wanted: boolean): void;
  /** Called when an announcement is committed. */
  announced?(): void;
  /** Returns whether this worker may hold steps under fences of this id without knowing. */
  inDoubt(id: number): boolean;
}

/**
 * The registration of this worker in the database, and its heartbeats. Each incarnation has its own id. A fence
 * consists of that id and the number of the claiming statement, so that no fence is issued twice, even after a crash.
 */
export class Incarnation {
  readonly #engine: Engine;
  readonly #identity: WorkerIdentity;
  readonly #events: IncarnationEvents;
  readonly #logger: Logger;
  readonly #held = new Map<number, number>();
  readonly #instance = randomUUID();
  #id = 0;
  #counter = 0;
  /** Ids that are no longer used for claims, with the time at which they were retired. */
  readonly #retired = new Map<number, number>();
  readonly #dead = new Set<number>();
  /** When heartbeats succeeded, including those of the heartbeat thread. */
  readonly #memory: SharedLoopState;
  readonly #thread: HeartbeatThread;
  #failedBeats = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  /** Whether the next heartbeat is due as soon as the current heartbeat has ended. */
  #soon = false;
  #stopped = false;
  #announced = '';
  /** The committed announcement: its names, all of it for lookups, and whether it covers every handler that is started. */
  #committed = { callables: [] as readonly string[], announced: new Announced(), all: false };
  #announcing: Promise<boolean> = Promise.resolve(true);

  constructor(engine: Engine, identity: WorkerIdentity, events: IncarnationEvents, logger: Logger) {
    this.#engine = engine;
    this.#identity = identity;
    this.#events = events;
    this.#logger = logger;
    this.#memory = identity.memory ?? new SharedLoopState();
    const { leaseMs, blockedLoopBoundMs: boundMs = 0 } = identity;
    this.#thread = new HeartbeatThread({
      reach: engine.database.reach,
      leaseMs,
      boundMs,
      memory: this.#memory,
      logger,
    });
  }

  /** The id under which new steps are claimed. */
  get id(): number {
    return this.#id;
  }

  /**
   * Whether the lease has certainly not expired. False if no heartbeat succeeded for a whole lease, so that other
   * workers may have the steps that are held here.
   */
  get sure(): boolean {
    return sharedNow() - this.#memory.provenAt < this.#identity.leaseMs;
  }

  /**
   * Returns whether this worker may still hold steps under this fence. False if the incarnation that issued it was
   * declared dead, in which case other workers take its steps.
   */
  owns(claim: number): boolean {
    return !this.#dead.has(incarnationOf(claim));
  }

  /** Timeout of other statements, so that they do not delay the next heartbeat beyond the lease. */
  get #patience(): { timeoutMs: number } {
    return { timeoutMs: this.#identity.leaseMs / 3 };
  }

  async start(): Promise<void> {
    await this.#register();
    this.#thread.start();
    this.#schedule();
  }

  /** All ids under which this worker may hold steps. */
  get ids(): number[] {
    return [...new Set([this.#id, ...this.#retired.keys()])];
  }

  async #register(): Promise<void> {
    const { name, concurrency, leaseMs } = this.#identity;
    const [namespaces, callables] = [this.#identity.namespaces(), this.#identity.callables()];
    const announcesAll = this.#identity.announcesAll?.() ?? false;
    const sentAt = sharedNow();
    this.#id = await this.#engine.registerWorker({
      name,
      host: hostname(),
      pid: process.pid,
      namespaces,
      callables,
      concurrency,
      leaseMs,
      instance: this.#instance,
      version: packageVersion(),
      announcesAll,
    });
    this.#counter = 0;
    this.#memory.proven(sentAt);
    this.#thread.watch(this.ids);
    this.#commit({ namespaces, callables, announcesAll });
    // Steps of earlier ids may start handlers that were registered in the meantime.
    if (this.#retired.size > 0) this.#announced = '';
    this.#logger.info(
      { worker_id: this.#id, worker: name, namespaces, handlers: announcedNames(callables).length },
      'worker registered',
    );
  }

  /** Issues a new fence. Registers again before the fences of this id are used up. */
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
        this.#logger.warn({ error: messageOf(error) }, 'worker not registered again; retrying');
      },
    );
  }

  /** Counts a step that is held under this fence. */
  hold(claim: number): void {
    const id = incarnationOf(claim);
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
  }

  forget(claim: number): void {
    const id = incarnationOf(claim);
    this.#held.set(id, (this.#held.get(id) ?? 1) - 1);
  }

  /**
   * Whether a handler may be started. If this worker is lost, others conclude from its announcement which steps it has
   * not started. So a handler that was registered later is announced first.
   */
  mayStart(handler: WantedHandler): boolean {
    return !this.#committed.all || this.#committed.announced.covers(handler);
  }

  /**
   * Announces the namespaces and handlers of this worker, if they changed. Returns false if it was declared dead. Then the
   * next heartbeat registers it again.
   */
  announce(): Promise<boolean> {
    const turn = this.#announcing.then(() => this.#announce());
    this.#announcing = turn.catch(() => false);
    return turn;
  }

  async #announce(): Promise<boolean> {
    const [namespaces, callables] = [this.#identity.namespaces(), this.#identity.callables()];
    // A handler that was removed may still run.
    const before = this.#committed;
    const kept = new Set(callables);
    const announcesAll =
      before.all && (this.#identity.announcesAll?.() ?? false) && before.callables.every((name) => kept.has(name));
    if (JSON.stringify([namespaces, callables, announcesAll]) === this.#announced) return true;
    for (const id of this.ids) {
      const served = { id, namespaces, callables, announcesAll };
      if (!(await this.#engine.announceCallables(served, this.#patience))) return false;
    }
    this.#commit({ namespaces, callables, announcesAll });
    return true;
  }

  #commit({ namespaces, callables, announcesAll }: Required<Omit<ServedNames, 'id'>>): void {
    this.#announced = JSON.stringify([namespaces, callables, announcesAll]);
    const announced = new Announced();
    announced.add(callables);
    this.#committed = { callables, announced, all: announcesAll };
    this.#events.announced?.();
  }

  #schedule(): void {
    if (this.#stopped) return;
    const pauseMs = this.#soon ? 0 : this.#pauseMs();
    this.#soon = false;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#beating = this.#beat().finally(() => this.#schedule());
    }, pauseMs);
  }

  /**
   * Called when an operator may have a request for the workers with these ids. The response to a heartbeat contains it.
   */
  asked(ids: readonly number[]): void {
    if (this.ids.some((id) => ids.includes(id))) this.beatNow();
  }

  /** Sends a heartbeat now, because the report or the response may have changed. */
  beatNow(): void {
    this.#soon = true;
    // While a heartbeat is in progress, there is no timer.
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#schedule();
  }

  /**
   * Returns the pause before the next heartbeat. A failed heartbeat is retried soon, because the lease only has time
   * for a few.
   */
  #pauseMs(): number {
    const regular = this.#identity.leaseMs / 3;
    return this.#failedBeats === 0 ? regular : Math.min(regular, FIRST_PAUSE_MS * 2 ** Math.min(this.#failedBeats, 8));
  }

  async #beat(): Promise<void> {
    const ids = this.ids;
    const sentAt = sharedNow();
    try {
      const { load, leaseMs } = this.#identity;
      const { alive, drain, lost } = await this.#engine.heartbeat(ids, leaseMs, load?.take());
      this.#failedBeats = 0;
      load?.sent();
      if (!this.sure) this.#memory.cameBack(sentAt);
      const dead = ids.filter((id) => !alive.includes(id));
      if (dead.length > 0) await this.#comeBack(dead);
      else this.#memory.proven(sentAt);
      // If only dead ids were queried, the response to the next heartbeat has the request.
      if (dead.length < ids.length) this.#events.drain?.(drain);
      await this.#leaveRetired();
      await this.announce();
      // The outage may have affected other workers too, so they have the time of a lease to reconnect.
      if (lost && sentAt - this.#memory.backAt >= leaseMs) this.#events.othersLost();
    } catch (error) {
      const level = this.#failedBeats++ === 0 ? 'warn' : 'debug';
      this.#logger[level]({ error: messageOf(error) }, 'heartbeat failed; retrying');
    }
  }

  async #comeBack(dead: readonly number[]): Promise<void> {
    this.#logger.warn(
      { worker_ids: dead },
      'this worker was declared dead because its lease expired; other workers take over its steps',
    );
    for (const id of dead) {
      this.#retired.delete(id);
      this.#dead.add(id);
    }
    this.#events.lost(dead);
    if (dead.includes(this.#id)) await this.#register();
    else this.#thread.watch(this.ids);
  }

  async #leaveRetired(): Promise<void> {
    const { keepRetiredMs = KEEP_RETIRED_MS } = this.#identity;
    for (const [id, since] of this.#retired) {
      if (id === this.#id || (this.#held.get(id) ?? 0) > 0 || this.#events.inDoubt(id)) continue;
      if (performance.now() - since < keepRetiredMs) continue;
      await this.#engine.stopWorker(id, this.#patience);
      this.#retired.delete(id);
      this.#held.delete(id);
      this.#thread.watch(this.ids);
    }
  }

  /** Ends the heartbeats. `clean` means that the worker holds nothing, so it signs off. Otherwise its lease expires. */
  async stop(clean: boolean): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
    clearTimeout(this.#timer);
    await this.#thread.stop();
    if (!clean) return;
    for (const id of this.ids) await this.#engine.stopWorker(id, this.#patience);
    this.#logger.info({ worker_id: this.#id }, 'worker stopped');
  }
}

/** Returns the id of the incarnation that issued a fence. */
export function incarnationOf(claim: number): number {
  return Math.floor(claim / 2 ** COUNTER_BITS);
}
