import { logFilterOf } from '../config/log-filter.ts';
import { consoleLogger } from './console-logger.ts';
import type { Logger } from './logger.ts';

/** Shared by all copies of this package in the process, because a program may use a different copy than its worker. */
interface Shared {
  /** The loggers of the workers that run; the one that started last counts. */
  readonly running: Logger[];
  /** The logger of the worker that stopped last, for the last lines of a program. */
  stopped: Logger | undefined;
  /** Writes JSON lines to standard error, at the level from the environment. */
  fallback: Logger | undefined;
  /** A warning about the environment that has already been written. */
  told: string | undefined;
}

const KEY = Symbol.for('tasker-core.process-logger');

function shared(): Shared {
  const place = globalThis as { [KEY]?: Shared };
  place[KEY] ??= { running: [], stopped: undefined, fallback: undefined, told: undefined };
  return place[KEY];
}

/**
 * Sends lines from outside of handlers to the logger of a starting worker. Call the returned function when it stops.
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

/** The destination of lines from outside of handlers, unless the program sets another. */
export function processLogger(): Logger {
  const all = shared();
  const ofWorker = all.running.at(-1) ?? all.stopped;
  if (ofWorker) return ofWorker;
  if (!all.fallback) {
    const { filter, warning } = logFilterOf();
    all.fallback = consoleLogger({ ...filter, form: 'json' });
    if (warning !== undefined) all.fallback.warn(warning);
    all.told = warning;
  }
  return all.fallback;
}

/** The warnings of a configuration, without the one that a line before the start has already caused. */
export function untold(warnings: readonly string[]): string[] {
  const { told } = shared();
  return warnings.filter((line) => line !== told);
}
