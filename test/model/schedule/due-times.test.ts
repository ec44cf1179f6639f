import { expect, test } from 'vitest';
import { cronProblem, cronTimes } from '../../../src/model/schedule/cron.ts';
import { dueAfter, dueBefore, type Timing } from '../../../src/model/schedule/due-times.ts';
import { scheduleWords } from '../../../src/model/schedule/words.ts';
import { offsetAt } from '../../../src/model/schedule/zone.ts';

const timing = (cron: string, timezone: string): Timing => ({
  cron,
  everyMs: null,
  timezone,
  anchorMs: 0,
  startMs: null,
  endMs: null,
});

/** Returns the due times from one moment to another. */
function dues(when: Timing, from: string, to: string): number[] {
  const found: number[] = [];
  for (
    let due = dueAfter(when, Date.parse(from) - 1);
    due !== null && due <= Date.parse(to);
    due = dueAfter(when, due)
  ) {
    found.push(due);
  }
  return found;
}

const shown = (when: Timing, from: string, to: string) =>
  dues(when, from, to).map((ms) => new Date(ms).toISOString().replace(/:00\.000Z/, 'Z'));

test('a fixed time that occurs twice is due once, the first time', () => {
  expect(shown(timing('30 2 * * *', 'Europe/Berlin'), '2026-10-24T12:00Z', '2026-10-26T12:00Z')).toEqual([
    '2026-10-25T00:30Z',
    '2026-10-26T01:30Z',
  ]);
  expect(shown(timing('45 1 * * *', 'Australia/Lord_Howe'), '2026-04-04T00:00Z', '2026-04-05T20:00Z')).toEqual([
    '2026-04-04T14:45Z',
    '2026-04-05T15:15Z',
  ]);
  expect(shown(timing('30 23 * * *', 'America/Santiago'), '2026-04-04T12:00Z', '2026-04-06T12:00Z')).toEqual([
    '2026-04-05T02:30Z',
    '2026-04-06T03:30Z',
  ]);
});

test('fixed times that a clock change skips are due once at the end of the gap', () => {
  expect(shown(timing('0,15,30 2 * * *', 'Europe/Berlin'), '2026-03-28T12:00Z', '2026-03-29T12:00Z')).toEqual([
    '2026-03-29T01:00Z',
  ]);
  expect(shown(timing('0 2,3 * * *', 'Europe/Berlin'), '2026-03-28T12:00Z', '2026-03-29T12:00Z')).toEqual([
    '2026-03-29T01:00Z',
  ]);
  expect(shown(timing('15 2 * * *', 'Australia/Lord_Howe'), '2026-10-03T00:00Z', '2026-10-04T00:00Z')).toEqual([
    '2026-10-03T15:30Z',
  ]);
  expect(shown(timing('0 0 * * *', 'America/Santiago'), '2026-09-05T12:00Z', '2026-09-07T12:00Z')).toEqual([
    '2026-09-06T04:00Z',
    '2026-09-07T03:00Z',
  ]);
  expect(shown(timing('0 0 6 9 *', 'America/Santiago'), '2026-01-01T00:00Z', '2026-12-31T00:00Z')).toEqual([
    '2026-09-06T04:00Z',
  ]);
});

test('with * in the hour, each elapsed hour is due once even when clocks change', () => {
  for (const [zone, from, to] of [
    ['Europe/Berlin', '2026-10-24T20:00Z', '2026-10-25T06:00Z'],
    ['Europe/Berlin', '2026-03-28T20:00Z', '2026-03-29T06:00Z'],
    ['America/Santiago', '2026-04-04T22:00Z', '2026-04-05T08:00Z'],
    ['America/Santiago', '2026-09-05T22:00Z', '2026-09-06T08:00Z'],
  ] as const) {
    const found = dues(timing('0 * * * *', zone), from, to);
    expect(found, `${zone} ${from}`).toHaveLength(11);
    expect(new Set(found.slice(1).map((ms, i) => ms - found[i]!))).toEqual(new Set([3_600_000]));
  }
  expect(shown(timing('*/15 * * * *', 'Australia/Lord_Howe'), '2026-04-04T14:30Z', '2026-04-04T15:45Z')).toEqual([
    '2026-04-04T14:30Z',
    '2026-04-04T14:45Z',
    '2026-04-04T15:00Z',
    '2026-04-04T15:15Z',
    '2026-04-04T15:30Z',
    '2026-04-04T15:45Z',
  ]);
});

test('with a step in the hour, no hour is lost or doubled', () => {
  expect(shown(timing('0 */2 * * *', 'Europe/Berlin'), '2026-03-28T22:00Z', '2026-03-29T05:00Z')).toEqual([
    '2026-03-28T23:00Z',
    '2026-03-29T01:00Z',
    '2026-03-29T02:00Z',
    '2026-03-29T04:00Z',
  ]);
  expect(shown(timing('0 */2 * * *', 'Europe/Berlin'), '2026-10-24T22:00Z', '2026-10-25T05:00Z')).toEqual([
    '2026-10-24T22:00Z',
    '2026-10-25T00:00Z',
    '2026-10-25T03:00Z',
    '2026-10-25T05:00Z',
  ]);
});

test('a schedule with `every` counts elapsed time from its start, even when the clocks change', () => {
  const anchorMs = Date.parse('2026-03-28T12:00Z');
  const when: Timing = {
    ...timing('', 'Europe/Berlin'),
    cron: null,
    everyMs: 6 * 3_600_000,
    anchorMs,
    startMs: anchorMs,
  };
  expect(shown(when, '2026-03-01T00:00Z', '2026-03-29T12:00Z')).toEqual([
    '2026-03-28T12:00Z',
    '2026-03-28T18:00Z',
    '2026-03-29T00:00Z',
    '2026-03-29T06:00Z',
    '2026-03-29T12:00Z',
  ]);
});

test('start and end limit the due times, and both are included', () => {
  const when = {
    ...timing('0 9 * * *', 'UTC'),
    startMs: Date.parse('2026-01-02T09:00Z'),
    endMs: Date.parse('2026-01-03T09:00Z'),
  };
  expect(shown(when, '2025-01-01T00:00Z', '2027-01-01T00:00Z')).toEqual(['2026-01-02T09:00Z', '2026-01-03T09:00Z']);
});

const ZONES = ['Europe/Berlin', 'Australia/Lord_Howe', 'America/Santiago', 'UTC', 'Asia/Kathmandu', 'America/New_York'];
const PATTERNS = [
  '0 0 * * *',
  '30 2 * * *',
  '15,45 1-3 * * *',
  '0 */3 * * *',
  '*/20 * * * *',
  '10 */6 * * 1-5',
  '0 23 L * *',
  '5 4 29 2 *',
  '*/30 15 2 * * *',
  '0 0 1 1 *',
];

/** A generator with a seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

test('due times are strictly increasing and stable, and match the local time except around clock changes', () => {
  const next = random(20_260_101);
  for (let round = 0; round < 120; round++) {
    const zone = ZONES[Math.floor(next() * ZONES.length)]!;
    const pattern = PATTERNS[Math.floor(next() * PATTERNS.length)]!;
    const when = timing(pattern, zone);
    const from = Date.UTC(2024) + Math.floor(next() * 3 * 365 * 86_400_000);
    const due = dueAfter(when, from)!;
    const note = `${pattern} ${zone} ${new Date(from).toISOString()}`;
    expect(due, note).toBeGreaterThan(from);
    // Every moment in between has the same next due time.
    for (const part of [0.1, 0.5, 0.9]) {
      const between = from + Math.floor((due - from - 1) * part);
      expect(dueAfter(when, between), note).toBe(due);
    }
    expect(dueAfter(when, due - 1), note).toBe(due);
    expect(dueAfter(when, due), note).toBeGreaterThan(due);
    expect(dueBefore(when, due + 1, due - 86_400_000), note).toBe(due);
    const offset = offsetAt(zone, due);
    if (offsetAt(zone, due - 10_800_000) === offset && offsetAt(zone, due + 10_800_000) === offset) {
      expect(cronTimes(pattern).matches(due + offset), note).toBe(true);
    }
  }
});

test('around each clock change, every local time of a day is due exactly once with a fixed hour', () => {
  for (const [zone, change] of [
    ['Europe/Berlin', '2026-03-29T01:00Z'],
    ['Europe/Berlin', '2026-10-25T01:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
    ['America/Santiago', '2026-04-05T03:00Z'],
    ['America/Santiago', '2026-09-06T04:00Z'],
  ] as const) {
    const at = Date.parse(change);
    expect(offsetAt(zone, at)).not.toBe(offsetAt(zone, at - 1000));
    for (let minute = 0; minute < 1440; minute += 30) {
      const when = timing(`${minute % 60} ${Math.floor(minute / 60)} * * *`, zone);
      const found = dues(
        when,
        new Date(at - 30 * 3_600_000).toISOString(),
        new Date(at + 30 * 3_600_000).toISOString(),
      );
      const days = new Set(found.map((ms) => new Intl.DateTimeFormat('sv', { timeZone: zone }).format(ms)));
      expect(days.size, `${zone} ${change} ${minute}`).toBe(found.length);
      expect(found.length).toBeGreaterThanOrEqual(2);
    }
  }
});

test('an expression that never matches or is malformed is rejected with a correction', () => {
  expect(cronProblem('0 0 31 2 *')).toMatch(/never matches.*write `L`/);
  expect(cronProblem('* * * *')).toMatch(/4 fields; write 5 fields/);
  expect(cronProblem('61 * * * *')).toMatch(/invalid value for minute: 61; an example/);
  expect(cronProblem('*/0 * * * *')).toMatch(/stepping/);
  expect(cronProblem('')).toMatch(/1 field; write/);
  for (const good of ['0 9 * * 1-5', '*/5 * * * * *', '@daily', '0 0 29 2 *', '0 0 L * *', '0 9 * * MON-FRI']) {
    expect(cronProblem(good), good).toBeUndefined();
  }
});

test('schedules are described in plain words', () => {
  const words = (cron: string, timezone = 'Europe/Berlin') => scheduleWords({ cron, everyMs: null, timezone });
  expect(words('0 9 * * 1-5')).toBe('at 09:00 on weekdays, Europe/Berlin');
  expect(words('0 9 * * *')).toBe('at 09:00 every day, Europe/Berlin');
  expect(words('30 2,14 * * MON', 'UTC')).toBe('at 02:30 and 14:30 on Mondays, UTC');
  expect(words('0 0 1 * *', 'UTC')).toBe('at 00:00 on the 1st of the month, UTC');
  expect(words('0 0 L * *', 'UTC')).toBe('at 00:00 on the last day of the month, UTC');
  expect(words('0 6 1 1 *', 'UTC')).toBe('at 06:00 on the 1st of the month in January, UTC');
  expect(words('0 10 * * 0,6', 'UTC')).toBe('at 10:00 on weekends, UTC');
  expect(words('*/15 * * * *', 'UTC')).toBe('every 15 minutes, UTC');
  expect(words('*/15 9-17 * * 1-5', 'UTC')).toBe('every 15 minutes from 09 to 17 h on weekdays, UTC');
  expect(words('0 * * * *', 'UTC')).toBe('every hour, UTC');
  expect(words('0 */2 * * *', 'UTC')).toBe('every 2 hours, UTC');
  expect(words('*/10 * * * * *', 'UTC')).toBe('every 10 seconds, UTC');
  expect(words('* * * * *', 'UTC')).toBe('every minute, UTC');
  expect(words('0 12 1-7 * 1', 'UTC')).toBe('cron 0 12 1-7 * 1, UTC');
  expect(scheduleWords({ cron: null, everyMs: 900_000, timezone: 'UTC' })).toBe('every 15 minutes');
  expect(scheduleWords({ cron: null, everyMs: 86_400_000, timezone: 'UTC' })).toBe('every day');
});
