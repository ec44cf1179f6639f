import { DURATION_FORMS, durationMs } from '../../../../src/model/duration.ts';
import { cronProblem } from '../../../../src/model/schedule/cron.ts';
import { dueAfter } from '../../../../src/model/schedule/due-times.ts';
import { scheduleWords } from '../../../../src/model/schedule/words.ts';
import { isZone, nearZones } from '../../../../src/model/schedule/zone.ts';
import { ApiError } from '../../api/client.ts';
import type { Schedule } from '../../api/types.ts';

/** The typed values. Empty means the default. */
export interface Draft {
  name: string;
  template: string;
  timing: 'cron' | 'every';
  cron: string;
  every: string;
  timezone: string;
  overlap: Schedule['overlap'];
  catch_up: Schedule['catch_up'];
  on_failure: Schedule['on_failure'];
  jitter: string;
  start: string;
  end: string;
  description: string;
  tags: string;
  priority: string;
  context: unknown;
}

export type DraftErrors = Partial<Record<keyof Draft, string>>;

/** Returns what is wrong with the typed values, by their fields. An empty value is not wrong, only missing. */
export function errorsOf(draft: Draft): DraftErrors {
  const given = (name: Exclude<keyof Draft, 'context'>) => draft[name].trim();
  const found: [keyof Draft, string | undefined][] = [
    ['name', given('name') === '' ? undefined : nameProblem(given('name'))],
    [
      'cron',
      draft.timing === 'cron' && given('cron') !== '' ? cronProblem(given('cron'))?.replaceAll('`', '') : undefined,
    ],
    ['every', draft.timing === 'every' ? durationProblem(given('every'), 1000) : undefined],
    ['timezone', given('timezone') === '' || isZone(given('timezone')) ? undefined : zoneProblem(given('timezone'))],
    ['jitter', durationProblem(given('jitter'), 0)],
    ['priority', priorityProblem(given('priority'))],
    ['end', isBefore(draft.end, draft.start) ? 'must be after the start' : undefined],
  ];
  return Object.fromEntries(found.flatMap(([name, problem]) => (problem === undefined ? [] : [[name, problem]])));
}

function nameProblem(name: string): string | undefined {
  return /^[\w.-]+$/.test(name) ? undefined : 'must contain only letters, digits, _, - and .';
}

function durationProblem(text: string, least: number): string | undefined {
  if (text === '') return undefined;
  const ms = durationMs(/^\d+(\.\d+)?$/.test(text) ? Number(text) : text);
  if (ms === undefined) return `must be a duration: ${DURATION_FORMS}`;
  return ms < least ? 'must be at least one second' : undefined;
}

function zoneProblem(zone: string): string {
  const [near] = nearZones(zone);
  return `is not the name of a time zone${near === undefined ? ', such as Europe/Berlin' : `; did you mean ${near}?`}`;
}

function priorityProblem(text: string): string | undefined {
  return /^(?:[-−]?\d{1,2}|[-−]?100)?$/.test(text) ? undefined : 'must be a whole number from −100 to 100';
}

const isBefore = (one: string, other: string) => one !== '' && other !== '' && Date.parse(one) <= Date.parse(other);

interface Problem {
  path?: string;
  message: string;
}

/** Returns the problems that the server found, by their fields. Undefined if one of them belongs to no field. */
export function serverErrorsOf(error: Error | null, draft: Draft): DraftErrors | undefined {
  const problems = error instanceof ApiError ? (error.details?.['problems'] as Problem[] | undefined) : undefined;
  if (!Array.isArray(problems) || problems.length === 0) return undefined;
  const found: DraftErrors = {};
  for (const { path, message } of problems) {
    if (!path || !(path in draft)) return undefined;
    found[path as keyof Draft] ??= message;
  }
  return found;
}

const MOST_SHOWN = 5;

/**
 * Returns when a schedule with these values is due, in words, with its next times. Undefined if they are not usable.
 * `anchor`: when the schedule was created. Its interval is measured from then.
 */
export function dueTimesOf(
  draft: Draft,
  now: number,
  anchor: number,
): { words: string; next: number[]; zone: string } | undefined {
  const { timing, cron, every, timezone, jitter: _, start, end } = draft;
  const zone = timezone.trim() || 'UTC';
  const errors = errorsOf(draft);
  if (errors[timing] || errors.timezone || errors.end || draft[timing].trim() === '') return undefined;
  const everyText = every.trim();
  const everyMs =
    timing === 'every' ? durationMs(/^\d+(\.\d+)?$/.test(everyText) ? Number(everyText) : everyText)! : null;
  const line = timing === 'cron' ? cron.trim() : null;
  const startMs = start === '' ? null : Date.parse(start);
  const times = {
    cron: line,
    everyMs,
    timezone: zone,
    startMs,
    endMs: end === '' ? null : Date.parse(end),
    anchorMs: startMs ?? anchor,
  };
  const next: number[] = [];
  for (let at = dueAfter(times, now); at !== null && next.length < MOST_SHOWN; at = dueAfter(times, at)) next.push(at);
  return { words: scheduleWords({ cron: line, everyMs, timezone: zone }), next, zone };
}
