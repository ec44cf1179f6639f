import { Cron } from 'croner';
import { messageOf } from '../../errors.ts';

/** A cron expression, evaluated on local times. A local time is given as if it were UTC, in milliseconds since 1970. */
export interface CronTimes {
  /** Whether the hour has neither `*` nor a step, so it means a time of day. */
  fixedHour: boolean;
  /** Returns the first local time at or after `local` that matches. Null if there is none. */
  next(local: number): number | null;
  /** Returns whether a local time matches. */
  matches(local: number): boolean;
}

const NICKNAMES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const KEPT = 20_000;
const kept = new Map<string, CronTimes>();

/** Returns the fields of an expression: seconds first, which are 0 if they are not given. */
export function cronFields(expression: string): string[] {
  const text = expression.trim();
  const fields = (NICKNAMES[text.toLowerCase()] ?? text).split(/\s+/);
  return fields.length === 5 ? ['0', ...fields] : fields;
}

/**
 * Returns the reason why an expression cannot be used, with advice. Undefined for a usable expression. An expression
 * that never matches, such as `0 0 31 2 *`, is not usable.
 */
export function cronProblem(expression: string): string | undefined {
  const fields = cronFields(expression);
  if (fields.length !== 6) {
    return `it has ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}; write 5 fields (minute hour day month weekday), or 6 with seconds first, such as \`0 9 * * 1-5\``;
  }
  try {
    if (cronTimes(expression).next(Date.UTC(2000)) !== null) return undefined;
  } catch (error) {
    return `${reasonOf(error)}; an example is \`0 9 * * 1-5\`, which is 09:00 on weekdays`;
  }
  return 'it never matches: no month that it names has such a day; write `L` for the last day of the month';
}

function reasonOf(error: unknown): string {
  const reason = messageOf(error)
    .replace(/^CronPattern: /, '')
    .replace(/\.$/, '');
  return reason.charAt(0).toLowerCase() + reason.slice(1);
}

/** Returns the times of a valid expression. */
export function cronTimes(expression: string): CronTimes {
  let times = kept.get(expression);
  if (times) return times;
  const fields = cronFields(expression);
  const cron = new Cron(fields.join(' '), { timezone: 'UTC', mode: '6-part', paused: true });
  times = {
    fixedHour: !/[*?/]/.test(fields[2]!),
    next: (local) => cron.nextRun(new Date(local - 1))?.getTime() ?? null,
    matches: (local) => cron.match(new Date(local)),
  };
  if (kept.size >= KEPT) kept.clear();
  kept.set(expression, times);
  return times;
}
