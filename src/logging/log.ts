import { type AnyLogger, loggerOf } from './any-logger.ts';
import { type LogContext, loggedFields } from './log-context.ts';
import { LEVELS, type Level, type Logger, scopedLogger } from './logger.ts';
import { processLogger } from './process-logger.ts';
import { redactFields } from './redact-fields.ts';

/** Fields of a log line by name. Keys are logged unchanged. */
export interface LogFields {
  [name: string]: unknown;
}

type Write = (message: string, fields?: LogFields | LogContext) => void;

/** The log functions that {@link createLogger} returns. */
export type FieldsLogger = Record<Level, Write>;

let chosen: Logger | undefined;

/**
 * Sets the logger that {@link logInfo} and the other log functions use outside of handlers, which also determines their
 * level. It can be a pino or winston logger, or `console`. Undefined restores the default: the logger of the worker
 * that started last in this process. Before a worker starts, the default writes JSON lines to standard error at the
 * level of `TASKER_LOG`, `LOG_LEVEL` or `RUST_LOG`, otherwise info. Inside a handler the functions use the logger of its
 * step.
 *
 * @example
 * setLogger(pino({ level: 'debug' }));
 */
export function setLogger(logger: AnyLogger | undefined): void {
  chosen = logger && loggerOf(logger);
}

/**
 * Writes a line at level info. Inside a handler the line names the step and goes to the logger of its tasker. Credentials
 * in the fields are redacted.
 *
 * @example
 * logInfo('order processed', { order_id: '123', amount: '100.00' });
 */
export function logInfo(message: string, fields?: LogFields | LogContext): void {
  write('info', message, fields);
}

/**
 * Writes a line at level warn, like {@link logInfo}.
 *
 * @example
 * logWarn('stock is low', { sku: 'MUG', left: 2 });
 */
export function logWarn(message: string, fields?: LogFields | LogContext): void {
  write('warn', message, fields);
}

/**
 * Writes a line at level error, like {@link logInfo}. An error in the fields is written as its name and message.
 *
 * @example
 * logError('no connection', { error: new Error('refused') });
 */
export function logError(message: string, fields?: LogFields | LogContext): void {
  write('error', message, fields);
}

/**
 * Writes a line at level debug, like {@link logInfo}.
 *
 * @example
 * logDebug('cache missed', { key: 'rates' });
 */
export function logDebug(message: string, fields?: LogFields | LogContext): void {
  write('debug', message, fields);
}

/**
 * Writes a line at level trace, like {@link logInfo}.
 *
 * @example
 * logTrace('row read', { row: 17 });
 */
export function logTrace(message: string, fields?: LogFields | LogContext): void {
  write('trace', message, fields);
}

/**
 * Returns log functions that add these fields to each line. The fields of a line take precedence.
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
