import type { StepLogRow } from '../store/step-logs.ts';

/** A line that a handler logged. */
export interface StepLogLine {
  /** The time on the worker's clock, in ISO 8601. */
  at: string;
  level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  message: string;
  /** The other fields of the line. Credentials are redacted. */
  fields: Record<string, unknown>;
}

/** The lines that the handler logged in one attempt, oldest first. */
export interface AttemptLog {
  /** The number of the attempt, as in the history. Several logs have the same number if a start did not count. */
  attempt: number;
  lines: StepLogLine[];
  /** Number of earlier lines that were dropped. */
  dropped: number;
}

/** Returns a row as callers see it. */
export function attemptLog({ number, lines, dropped }: Pick<StepLogRow, 'number' | 'lines' | 'dropped'>): AttemptLog {
  const rows = JSON.parse(lines) as [number, StepLogLine['level'], string, Record<string, unknown>][];
  return {
    attempt: number,
    lines: rows.map(([ms, level, message, fields]) => ({ at: new Date(ms).toISOString(), level, message, fields })),
    dropped,
  };
}
