import type { Logger } from './logger.ts';

/** Shared by all copies of this package in the process, because a program may use a different copy than its worker. */
interface Shared {
  /** The loggers of the running workers, in the order in which they started. The last one is used. */
  readonly running: Logger[];
  /** The logger of the worker that stopped last, for lines that a program writes after that. */
  stopped: Logger | undefined;
  /** Writes JSON lines to standard error at the level set in the environment. */
  fallback: Logger | undefined;
  /** The warning about the environment that was already logged. */
  told: string | undefined;
}

const KEY = Symbol.for('tasker-core.process-logger');

/** The state of this process. */
export function shared(): Shared {
  const place = globalThis as { [KEY]?: Shared };
  place[KEY] ??= { running: [], stopped: undefined, fallback: undefined, told: undefined };
  return place[KEY];
}

/**
 * Sends lines logged outside of handlers to the logger of a starting worker. Call the returned function when it stops.
 */
export function useWorkerLogger(logger: Logger): () => void {
  const all = shared();
  all.running.push(logger);
  let left = false;
  return () => {
    if (left) return;
    left = true;
    all.running.splice(all.running.lastIndexOf(logger), 1);
    all.stopped = logger;
  };
}

/** The warnings of a configuration, without the warning that `processLogger` has already logged. */
export function untold(warnings: readonly string[]): string[] {
  const { told } = shared();
  return warnings.filter((line) => line !== told);
}
