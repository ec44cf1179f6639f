import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from './logger.ts';

/** Something that has a logger of its own: a step's context. */
export interface LogScope {
  readonly logger: Logger;
}

const KEY = Symbol.for('tasker-core.log-scopes');

/** One for all copies of this package in the process: a handler may log through another copy than its worker's. */
function storage(): AsyncLocalStorage<LogScope> {
  const place = globalThis as { [KEY]?: AsyncLocalStorage<LogScope> };
  place[KEY] ??= new AsyncLocalStorage();
  return place[KEY];
}

/**
 * Calls a function with its scope and one more argument: what it logs by functions goes to the scope's logger, also after
 * it has waited. Every call enters its scope, though most handlers log nothing: the first line of a process may come from
 * a handler that began long before.
 */
export function inLogScope<Scope extends LogScope, Argument, Outcome>(
  scope: Scope,
  run: (scope: Scope, argument: Argument) => Outcome,
  argument: Argument,
): Outcome {
  return storage().run(scope, run, scope, argument);
}

/** The logger of the scope that runs; undefined outside of all. */
export function scopedLogger(): Logger | undefined {
  return storage().getStore()?.logger;
}
