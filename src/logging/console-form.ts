import type { Logger } from './logger.ts';

/** How lines look: for programs, for people with time, for people only what went wrong. */
export type ConsoleForm = 'json' | 'lines' | 'notes';

/** On a logger of this package that writes to standard error: the form of its lines. Its children have it from it. */
export const STANDARD_ERROR_FORM = Symbol.for('tasker-core.standard-error-form');

/**
 * In which form a logger's warnings stand on standard error; undefined: it writes elsewhere, or none. Another thread may
 * then write one there itself while this one can't.
 */
export function warningsOnStandardError(logger: Logger): ConsoleForm | undefined {
  if (logger.isLevelEnabled?.('warn') === false) return undefined;
  return (logger as { [STANDARD_ERROR_FORM]?: ConsoleForm })[STANDARD_ERROR_FORM];
}
