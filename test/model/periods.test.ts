import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { periodsOf, pointAt, pointsOf, windowOf } from '../../src/model/periods.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-03-10T12:34:56.789Z');
const iso = (time: number) => new Date(time).toISOString();

describe('the periods of a window', () => {
  it('are whole minutes where minutes are kept, then whole hours, then whole days', () => {
    const rounded = (from: string, to: string) => {
      const window = windowOf({ from: Date.parse(from), to: Date.parse(to), now: NOW });
      return [iso(window.from), iso(window.to)];
    };
    expect(rounded('2026-03-10T11:34:56Z', '2026-03-10T12:34:56Z')).toEqual([
      '2026-03-10T11:34:00.000Z',
      '2026-03-10T12:35:00.000Z',
    ]);
    expect(rounded('2026-03-01T11:34:56Z', '2026-03-02T11:34:56Z')).toEqual([
      '2026-03-01T11:00:00.000Z',
      '2026-03-02T12:00:00.000Z',
    ]);
    expect(rounded('2025-03-01T11:34:56Z', '2026-03-10T12:00:00Z')).toEqual([
      '2025-03-01T00:00:00.000Z',
      '2026-03-10T12:00:00.000Z',
    ]);
  });

  it('end with a whole hour or day if the minutes or hours before the end are no longer kept', () => {
    const end = (from: string, to: string) =>
      iso(windowOf({ from: Date.parse(from), to: Date.parse(to), now: NOW }).to).slice(0, 16);
    expect(end('2026-03-01T00:00:00Z', '2026-03-08T12:40:00Z')).toBe('2026-03-08T13:00');
    expect(end('2026-03-08T12:39:57Z', '2026-03-08T12:45:00Z')).toBe('2026-03-08T12:45');
    expect(end('2026-03-01T00:00:00Z', '2026-03-08T13:01:00Z')).toBe('2026-03-08T13:01');
    expect(end('2025-09-08T00:00:00Z', '2025-12-10T18:30:00Z')).toBe('2025-12-11T00:00');
    expect(end('2025-12-10T15:30:00Z', '2025-12-10T18:30:00Z')).toBe('2025-12-10T19:00');
  });

  it('are as long as possible', () => {
    const window = { from: Date.parse('2026-03-08T22:58:00Z'), to: Date.parse('2026-03-10T01:02:00Z') };
    expect(
      periodsOf(window).map(({ minutes, from, to }) => [minutes, iso(from).slice(8, 16), iso(to).slice(8, 16)]),
    ).toEqual([
      [1, '08T22:58', '08T23:00'],
      [60, '08T23:00', '09T00:00'],
      [1440, '09T00:00', '10T00:00'],
      [60, '10T00:00', '10T01:00'],
      [1, '10T01:00', '10T01:02'],
    ]);
  });

  it('cover each minute of any window once, and are few in number', () => {
    const anyWindow = fc.record({
      ago: fc.integer({ min: 1, max: 400 * 1440 }),
      minutes: fc.integer({ min: 1, max: 400 * 1440 }),
    });
    fc.assert(
      fc.property(anyWindow, ({ ago, minutes }) => {
        const from = NOW - ago * MINUTE;
        const window = windowOf({ from, to: Math.min(NOW, from + minutes * MINUTE), now: NOW });
        const periods = periodsOf(window);
        let at = window.from;
        for (const one of periods) {
          expect(one.from).toBe(at);
          expect([one.from % (one.minutes * MINUTE), one.to % (one.minutes * MINUTE)]).toEqual([0, 0]);
          at = one.to;
        }
        expect(at).toBe(window.to);
        const count = (length: number) =>
          periods
            .filter((one) => one.minutes === length)
            .reduce((sum, one) => sum + (one.to - one.from) / (length * MINUTE), 0);
        expect(count(1)).toBeLessThanOrEqual(118);
        expect(count(60)).toBeLessThanOrEqual(46);
        expect(count(1440)).toBeLessThanOrEqual(18);
        for (const one of periods.filter(({ minutes }) => minutes === 14400)) expect(one.to - one.from).toBe(10 * DAY);
        for (const one of periods) {
          if (one.minutes === 1) expect(one.from).toBeGreaterThanOrEqual(NOW - 2 * DAY);
          if (one.minutes === 60) expect(one.from).toBeGreaterThanOrEqual(NOW - 90 * DAY);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the points of a chart', () => {
  it('are at most 62, and each period of the chart belongs to one point', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 * 1440 }), (ago) => {
        const window = windowOf({ from: NOW - ago * MINUTE, to: NOW, now: NOW });
        const points = pointsOf(window, NOW);
        expect(points.count).toBeLessThanOrEqual(62);
        for (const { minutes, from, to } of periodsOf(window, points.longest)) {
          expect(pointAt(from, points)).toBeGreaterThanOrEqual(0);
          const last = to - minutes * MINUTE;
          const end = points.origin + (pointAt(last, points) + 1) * points.minutes * MINUTE;
          expect(last + minutes * MINUTE).toBeLessThanOrEqual(end);
        }
      }),
    );
  });

  it('are minutes apart in an hour, and hours apart in a week', () => {
    const of = (ms: number) => pointsOf(windowOf({ from: NOW - ms, to: NOW, now: NOW }), NOW);
    expect(of(HOUR)).toMatchObject({ minutes: 1, longest: 1 });
    expect(of(12 * HOUR)).toMatchObject({ minutes: 15, longest: 1 });
    expect(of(DAY)).toMatchObject({ minutes: 60, longest: 60 });
    expect(of(7 * DAY)).toMatchObject({ minutes: 180, longest: 60 });
    expect(of(40 * DAY)).toMatchObject({ minutes: 1440, longest: 1440 });
    expect(of(200 * DAY)).toMatchObject({ longest: 1440 });
  });
});
