import { logFilterOf } from '../config/log-filter.ts';
import { consoleLogger } from './console-logger.ts';
import type { Logger } from './logger.ts';
import { shared } from './worker-loggers.ts';

/** The logger for lines logged outside of handlers, unless the program sets another one. */
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
