import { Worker as Thread } from 'node:worker_threads';
import type { DatabaseReach } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import { type ConsoleForm, warningsOnStandardError } from '../../logging/console-form.ts';
import type { Logger } from '../../logging/logger.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { threadFile } from '../threads/thread-file.ts';
import type { SharedLoopState } from './loop-watch.ts';

/** Options of {@link HeartbeatThread}. Times in milliseconds. */
export interface HeartbeatThreadOptions {
  reach: DatabaseReach;
  leaseMs: number;
  /** How long the lease is kept while the event loop is blocked. 0: no thread is started. */
  boundMs: number;
  memory: SharedLoopState;
  logger: Logger;
}

/** The data with which the thread is started. */
export interface HeartbeatThreadSetup {
  reach: DatabaseReach;
  leaseMs: number;
  boundMs: number;
  memory: SharedArrayBuffer;
  /**
   * Format of the log lines that the thread writes to standard error while the loop is blocked. Undefined if it writes
   * none.
   */
  form: ConsoleForm | undefined;
}

/** A message to the thread: the worker ids to send heartbeats for, or the request to end. */
export type MessageToThread = { ids: readonly number[] } | { stop: true };

/** A log line of the thread. Arrives when the event loop is no longer blocked. */
export interface ThreadReport {
  level: 'debug' | 'warn';
  fields: Record<string, unknown>;
  message: string;
}

/** Maximum time to wait for the thread to close its connection. */
const CLOSE_MS = 1_000;

/**
 * A thread that sends the heartbeats of its worker while the worker's event loop is blocked. The thread has its own
 * connection, opened on first use, and sends nothing while the loop runs. If the loop is blocked for longer than the
 * bound, the heartbeats end. The lease then expires, and other workers take the steps.
 */
export class HeartbeatThread {
  readonly #options: HeartbeatThreadOptions;
  #thread: Thread | undefined;
  #ended: Promise<void> | undefined;
  #ids: readonly number[] = [];

  constructor(options: HeartbeatThreadOptions) {
    this.#options = options;
  }

  start(): void {
    const { reach, leaseMs, boundMs, memory, logger } = this.#options;
    if (boundMs <= 0) return;
    const setup: HeartbeatThreadSetup = {
      reach,
      leaseMs,
      boundMs,
      memory: memory.buffer,
      form: warningsOnStandardError(logger),
    };
    try {
      // The thread does not need the flags of the process, such as loaders or instrumentation.
      const thread = new Thread(threadFile('heartbeat-thread-entry'), {
        workerData: setup,
        execArgv: [],
        stdin: false,
      });
      this.#thread = thread;
      this.#ended = new Promise((resolve) => thread.once('exit', () => resolve()));
      thread.on('error', (error) => this.#without(error));
      thread.on('message', ({ level, fields, message }: ThreadReport) => logger[level](fields, message));
      thread.unref();
    } catch (error) {
      this.#without(error);
    }
    this.watch(this.#ids);
  }

  /** Continues without the thread. From then on, only the event loop sends heartbeats. */
  #without(error: unknown): void {
    this.#thread = undefined;
    this.#options.logger.warn(
      { error: messageOf(error) },
      'heartbeat thread is not running: handlers that block the event loop for longer than the lease lose their steps',
    );
  }

  /** Sets the worker ids to send heartbeats for. */
  watch(ids: readonly number[]): void {
    this.#ids = ids;
    this.#thread?.postMessage({ ids } satisfies MessageToThread);
  }

  async stop(): Promise<void> {
    const thread = this.#thread;
    if (!thread) return;
    this.#thread = undefined;
    thread.postMessage({ stop: true } satisfies MessageToThread);
    if (!(await waitAtMost(CLOSE_MS, this.#ended!))) await thread.terminate();
  }
}
