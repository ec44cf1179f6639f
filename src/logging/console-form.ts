import type { Logger } from './logger.ts';

/** The format of log lines: JSON, or readable lines with a time. */
export type ConsoleForm = 'json' | 'lines';

/** The property that holds the format, on loggers of this package that write to standard error. Child loggers inherit it. */
export const STANDARD_ERROR_FORM = Symbol.for('tasker-core.standard-error-form');

/**
 * The format in which a logger writes warnings to standard error; undefined if it writes elsewhere or no warnings.
 * Another thread uses this format to write a warning itself while this thread is blocked.
 */
export function warningsOnStandardError(logger: Logger): ConsoleForm | undefined {
  if (logger.isLevelEnabled?.('warn') === false) return undefined;
  return (logger as { [STANDARD_ERROR_FORM]?: ConsoleForm })[STANDARD_ERROR_FORM];
}
