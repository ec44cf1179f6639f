import { Worker as Thread } from 'node:worker_threads';
import type { DatabaseReach } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import { type ConsoleForm, warningsOnStandardError } from '../../logging/console-form.ts';
import type { Logger } from '../../logging/logger.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { threadFile } from '../threads/thread-file.ts';
import type { SharedLoopState } from './loop-watch.ts';

/** What a {@link HeartbeatThread} is made from. Times in milliseconds. */
export interface LifeGuardOptions {
  reach: DatabaseReach;
  leaseMs: number;
  /** For how long the lease outlives a blocked event loop; 0: no thread is started. */
  boundMs: number;
  memory: SharedLoopState;
  logger: Logger;
}

/** What the thread is started with. */
export interface GuardSetup {
  reach: DatabaseReach;
  leaseMs: number;
  boundMs: number;
  memory: SharedArrayBuffer;
  /** How a line on standard error looks while the loop that writes the others is blocked; undefined: there is none. */
  form: ConsoleForm | undefined;
}

/** What it is told: the ids to speak for, or that it is to end. */
export type GuardOrder = { ids: readonly number[] } | { stop: true };

/** What it tells: what it did while this loop was blocked. It arrives when the loop turns again. */
export interface GuardNews {
  level: 'debug' | 'warn';
  fields: Record<string, unknown>;
  message: string;
}

/** How long a stop waits for the thread's connection to say goodbye. */
const GOODBYE_MS = 1_000;

/**
 * A thread that proves that its worker lives while the worker's own event loop is blocked and can't. It has a connection
 * of its own, made when it is first needed, and sends nothing as long as the loop turns. A loop that does not turn for
 * longer than the bound is given up: its lease runs out, and others take its steps.
 */
export class HeartbeatThread {
  readonly #options: LifeGuardOptions;
  #thread: Thread | undefined;
  #ended: Promise<void> | undefined;
  #ids: readonly number[] = [];

  constructor(options: LifeGuardOptions) {
    this.#options = options;
  }

  start(): void {
    const { reach, leaseMs, boundMs, memory, logger } = this.#options;
    if (boundMs <= 0) return;
    const setup: GuardSetup = { reach, leaseMs, boundMs, memory: memory.buffer, form: warningsOnStandardError(logger) };
    try {
      // Of what the process was started with, nothing is for this thread: no loader, no instrumentation.
      const thread = new Thread(threadFile('lease/heartbeat-thread-entry'), {
        workerData: setup,
        execArgv: [],
        stdin: false,
      });
      this.#thread = thread;
      this.#ended = new Promise((resolve) => thread.once('exit', () => resolve()));
      thread.on('error', (error) => this.#without(error));
      thread.on('message', ({ level, fields, message }: GuardNews) => logger[level](fields, message));
      thread.unref();
    } catch (error) {
      this.#without(error);
    }
    this.watch(this.#ids);
  }

  /** As before there were threads: the heartbeat of the loop itself must do. */
  #without(error: unknown): void {
    this.#thread = undefined;
    this.#options.logger.warn(
      { error: messageOf(error) },
      'the thread of the heartbeat does not run: handlers that block the event loop for longer than the lease lose their steps',
    );
  }

  /** The ids to speak for. */
  watch(ids: readonly number[]): void {
    this.#ids = ids;
    this.#thread?.postMessage({ ids } satisfies GuardOrder);
  }

  async stop(): Promise<void> {
    const thread = this.#thread;
    if (!thread) return;
    this.#thread = undefined;
    thread.postMessage({ stop: true } satisfies GuardOrder);
    if (!(await waitAtMost(GOODBYE_MS, this.#ended!))) await thread.terminate();
  }
}
