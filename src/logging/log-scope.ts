import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from './logger.ts';

/** Something that has a logger of its own: a step's context. */
export interface LogScope {
  readonly logger: Logger;
}

/** What all copies of this package in one process share: a handler may log through another copy than its worker's. */
interface Shared {
  readonly storage: AsyncLocalStorage<LogScope>;
  /** Somebody logs by functions. Until then nobody pays: once a storage is entered, Node does more at every promise. */
  wanted: boolean;
  /** The scope whose synchronous part runs, for the first such line of the process. */
  now: LogScope | undefined;
}

const KEY = Symbol.for('tasker-core.log-scope');

function shared(): Shared {
  const place = globalThis as { [KEY]?: Shared };
  place[KEY] ??= { storage: new AsyncLocalStorage(), wanted: false, now: undefined };
  return place[KEY];
}

/** Calls a function with its scope and one more argument: what it logs by functions goes to the scope's logger, also after it has waited. */
export function inLogScope<Scope extends LogScope, Argument, Outcome>(
  scope: Scope,
  run: (scope: Scope, argument: Argument) => Outcome,
  argument: Argument,
): Outcome {
  const all = shared();
  if (all.wanted) return all.storage.run(scope, run, scope, argument);
  const before = all.now;
  all.now = scope;
  try {
    return run(scope, argument);
  } finally {
    all.now = before;
  }
}

/**
 * The logger of the scope that runs; undefined outside of all. The first call of a process finds a scope only before
 * anything was waited for.
 */
export function scopedLogger(): Logger | undefined {
  const all = shared();
  all.wanted = true;
  return (all.storage.getStore() ?? all.now)?.logger;
}
