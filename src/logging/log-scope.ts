import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from './logger.ts';

/** Something that has a logger of its own: a step's context. */
export interface LogScope {
  readonly logger: Logger;
}

const KEY = Symbol.for('tasker-core.log-scopes');

/** Shared by all copies of this package in the process, because a handler may use a different copy than its worker's. */
function storage(): AsyncLocalStorage<LogScope | undefined> {
  const place = globalThis as { [KEY]?: AsyncLocalStorage<LogScope | undefined> };
  place[KEY] ??= new AsyncLocalStorage();
  return place[KEY];
}

/**
 * Calls a function with its scope and one more argument. Lines that it logs by functions go to the scope's logger, also
 * after an await. Every call enters its scope, although most handlers log nothing, because the first line of a process
 * may come from a handler that began long before.
 */
export function inLogScope<Scope extends LogScope, Argument, Outcome>(
  scope: Scope,
  run: (scope: Scope, argument: Argument) => Outcome,
  argument: Argument,
): Outcome {
  return storage().run(scope, run, scope, argument);
}

/** Calls a function outside of all scopes: work that a handler causes for other steps is not part of its own. */
export function outsideLogScopes<Outcome>(run: () => Outcome): Outcome {
  return storage().run(undefined, run);
}

/** The logger of the current scope; undefined outside of all scopes. */
export function scopedLogger(): Logger | undefined {
  return storage().getStore()?.logger;
}
