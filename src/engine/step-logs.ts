import type { Database } from '../db/database.ts';
import { checkUuid } from '../model/ids.ts';
import { stepNames } from '../store/read-steps.ts';
import { type StepLogRow, taskLogs } from '../store/step-logs.ts';

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

const MOST_ATTEMPTS = 200;
const MOST_LINES = 1_000;

/** Returns the newest kept lines of a task that contain a text, oldest first. */
export async function taskLogsOf(
  engine: { database: Database; getTask(uuid: string): Promise<unknown> },
  given: string,
  contains = '',
) {
  const taskUuid = checkUuid(given, 'the task id');
  const text = JSON.stringify(contains).slice(1, -1).toLowerCase();
  const [names, rows] = await Promise.all([
    stepNames(engine.database, taskUuid),
    taskLogs(engine.database, taskUuid, { text, limit: MOST_ATTEMPTS + 1 }),
  ]);
  if (names.size === 0) await engine.getTask(taskUuid);
  const linesOf = (row: (typeof rows)[number]) =>
    attemptLog(row).lines.map((line) => ({ step: names.get(row.idx) ?? '', attempt: row.number, ...line }));
  const lines = rows
    .slice(0, MOST_ATTEMPTS)
    .flatMap(linesOf)
    .filter(({ message, fields }) => JSON.stringify([message, fields]).toLowerCase().includes(text))
    .sort((one, other) => one.at.localeCompare(other.at));
  const hasEarlier = rows.length > MOST_ATTEMPTS || lines.length > MOST_LINES;
  return { lines: lines.slice(-MOST_LINES), hasEarlier };
}
