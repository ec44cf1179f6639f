import { AsyncLocalStorage } from 'node:async_hooks';

/** Fields of a log line. */
export type LogBindings = Record<string, unknown>;

/** Writes one line: a message, or fields and a message. */
export interface LogLine {
  (message: string): void;
  (fields: object, message?: string): void;
}

/**
 * A logger with pino's interface. Any pino logger is one, and so is any object with these members.
 *
 * @example
 * import pino from 'pino';
 * const logger: Logger = pino();
 * logger.info({ orderId: 'O-7' }, 'order packed');
 */
export interface Logger {
  trace: LogLine;
  debug: LogLine;
  info: LogLine;
  warn: LogLine;
  error: LogLine;
  /** Returns a logger that adds these fields to each line. */
  child(bindings: LogBindings): Logger;
  /** Returns whether a line of this level would be written. Without this method, all levels are enabled. */
  isLevelEnabled?(level: string): boolean;
}

/** The log levels, least important first. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

const ignore = (): void => {};

/**
 * A logger that writes nothing. It is the default of all optional loggers.
 *
 * @example
 * const registry = new HandlerRegistry({ logger: silentLogger });
 */
export const silentLogger: Logger = Object.freeze({
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
  isLevelEnabled: () => false,
});

/** An object with its own logger, such as the context of a step. */
export interface LogScope {
  readonly logger: Logger;
}

const KEY = Symbol.for('tasker-core.log-scopes');

/** Shared by all copies of this package in the process, because a handler may use a different copy than its worker. */
function storage(): AsyncLocalStorage<LogScope | undefined> {
  const place = globalThis as { [KEY]?: AsyncLocalStorage<LogScope | undefined> };
  place[KEY] ??= new AsyncLocalStorage();
  return place[KEY];
}

/**
 * Calls a function with its scope and one more argument. The function's log lines go to the scope's logger, even after
 * an await. Every call enters its scope, although most handlers log nothing, because a handler may log its first line
 * long after its start.
 */
export function inLogScope<Scope extends LogScope, Argument, Outcome>(
  scope: Scope,
  run: (scope: Scope, argument: Argument) => Outcome,
  argument: Argument,
): Outcome {
  return storage().run(scope, run, scope, argument);
}

/** Calls a function outside of all scopes: work that a handler triggers for other steps is not part of its own step. */
export function outsideLogScopes<Outcome>(run: () => Outcome): Outcome {
  return storage().run(undefined, run);
}

/** The logger of the current scope; undefined outside of all scopes. */
export function scopedLogger(): Logger | undefined {
  return storage().getStore()?.logger;
}
