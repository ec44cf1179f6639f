/** Fields of a log line. */
export type LogBindings = Record<string, unknown>;

/** Writes one line: a message, or fields and a message. */
export interface LogLine {
  (message: string): void;
  (fields: object, message?: string): void;
}

/**
 * A logger in pino's shape. Any pino logger is one; so is anything with these members.
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
  /** A logger that adds these fields to each of its lines. */
  child(bindings: LogBindings): Logger;
  /** Whether a line of this level would be written; absent: assume yes. */
  isLevelEnabled?(level: string): boolean;
}

/** The levels of a line, the least important first. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

const ignore = (): void => {};

/**
 * A logger that writes nothing: the default wherever a logger may be left out.
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
