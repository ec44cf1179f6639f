import { type AnyLogger, loggerOf } from './any-logger.ts';
import { type LogContext, loggedFields } from './log-context.ts';
import { LEVELS, type Level, type Logger, scopedLogger } from './logger.ts';
import { processLogger } from './process-logger.ts';
import { redactFields } from './redact-fields.ts';

/** Fields of a log line, by name; keys are logged as they are given. */
export interface LogFields {
  [name: string]: unknown;
}

type Write = (message: string, fields?: LogFields | LogContext) => void;

/** A logger by functions, as {@link createLogger} makes it. */
export type FieldsLogger = Record<Level, Write>;

let chosen: Logger | undefined;

/**
 * Says where {@link logInfo} and its kin write outside of handlers (and what their level is): a logger in pino's shape,
 * one of winston, or `console`. Undefined restores the default: the logger of the worker that started last in this
 * process. Before a worker starts, the default is JSON lines to standard error at the level of `TASKER_LOG`,
 * `LOG_LEVEL` or `RUST_LOG`, else info. Within a handler they write to the logger of its step.
 *
 * @example
 * setLogger(pino({ level: 'debug' }));
 */
export function setLogger(logger: AnyLogger | undefined): void {
  chosen = logger && loggerOf(logger);
}

/**
 * Writes a line of level info. In a handler it names the step and goes to the logger of its tasker. Credentials in the
 * fields are not written.
 *
 * @example
 * logInfo('order processed', { order_id: '123', amount: '100.00' });
 */
export function logInfo(message: string, fields?: LogFields | LogContext): void {
  write('info', message, fields);
}

/**
 * Writes a line of level warn; as {@link logInfo}.
 *
 * @example
 * logWarn('stock is low', { sku: 'MUG', left: 2 });
 */
export function logWarn(message: string, fields?: LogFields | LogContext): void {
  write('warn', message, fields);
}

/**
 * Writes a line of level error; as {@link logInfo}. An error among the fields is written as its name and message.
 *
 * @example
 * logError('no connection', { error: new Error('refused') });
 */
export function logError(message: string, fields?: LogFields | LogContext): void {
  write('error', message, fields);
}

/**
 * Writes a line of level debug; as {@link logInfo}.
 *
 * @example
 * logDebug('cache missed', { key: 'rates' });
 */
export function logDebug(message: string, fields?: LogFields | LogContext): void {
  write('debug', message, fields);
}

/**
 * Writes a line of level trace; as {@link logInfo}.
 *
 * @example
 * logTrace('row read', { row: 17 });
 */
export function logTrace(message: string, fields?: LogFields | LogContext): void {
  write('trace', message, fields);
}

/**
 * The functions above, with fields that each of their lines has; those of a line win.
 *
 * @example
 * const log = createLogger({ component: 'payments' });
 * log.info('charged', { amount: '12.50' });
 */
export function createLogger(defaultFields: LogFields | LogContext): FieldsLogger {
  const writer =
    (level: Level): Write =>
    (message, fields) =>
      write(level, message, { ...loggedFields(defaultFields), ...loggedFields(fields ?? {}) });
  return Object.fromEntries(LEVELS.map((level) => [level, writer(level)])) as FieldsLogger;
}

function write(level: Level, message: string, fields: LogFields | LogContext | undefined): void {
  const logger = scopedLogger() ?? chosen ?? processLogger();
  if (logger.isLevelEnabled?.(level) === false) return;
  if (fields === undefined) logger[level](message);
  else logger[level](redactFields(loggedFields(fields)), message);
}
