import { expect, it } from 'vitest';
import { shortWait } from '../../src/app/wait-words.ts';
import { endText } from '../../src/cli/approval/list.ts';
import { queueTable } from '../../src/cli/queue/queue.ts';
import { scheduleText } from '../../src/cli/schedule/list.ts';
import { nearText } from '../../web/src/parts/near-time.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const queue = (nextRetryMs: number) =>
  ({
    namespace: 'shop',
    ready: 0,
    readyIsExact: true,
    paused: 0,
    highestPriority: null,
    oldestReadyAt: null,
    oldestReadyMs: null,
    running: 0,
    inPerMinute: null,
    outPerMinute: null,
    isGrowing: null,
    flowSince: null,
    readyByMinute: [],
    retries: 1,
    nextRetryAt: '2026-01-01T00:00:00Z',
    nextRetryMs,
    workers: ['w'],
    draining: [],
    slots: 1,
    slotsTaken: 0,
    hungSlots: 0,
    lost: [],
    approvals: 0,
    failingSchedules: 0,
    stale: 0,
    deadDeliveries: 0,
    lateTimers: 0,
    lateSchedules: 0,
    atLeast: [],
    unserved: [],
    unservedSteps: 0,
  }) satisfies Parameters<typeof queueTable>[0][number];

it('the time until the next retry of a queue is not cut', () => {
  const table = (ms: number) => queueTable([queue(ms)], { wide: true });
  expect(table(47 * HOUR)).toContain('in 1 d 23 h');
  expect(table(119 * MINUTE)).toContain('in 1 h 59 min');
  expect(table(0)).toContain('due');
});

it('the window in which a schedule catches up, and its jitter, are not cut', () => {
  const schedule = {
    name: 'nightly',
    timezone: 'UTC',
    state: 'active',
    next: [],
    last: [],
    tags: [],
    context: {},
    words: 'every day',
    everyMs: null,
    cron: null,
    start: null,
    end: null,
    queued: null,
    catchUp: 'one',
    catchUpWindowMs: 47 * HOUR,
    jitterMs: 90 * MINUTE,
    source: null,
  } as unknown as Parameters<typeof scheduleText>[0];
  const text = scheduleText(schedule);
  expect(text).toContain('one, within 1 d 23 h');
  expect(text).toContain('delayed by up to 1 h 30 min');
});

it('the list of approvals and the explanation of a task show the same time until the end of an approval', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const week = 7 * 24 * HOUR;
  for (const ms of [week, week - 1, week - 20_000, week - 31 * MINUTE, week - HOUR, 25 * HOUR, 59.5 * MINUTE, 1]) {
    const times = { since: '2025-12-25T00:00:00Z', until: new Date(now + ms).toISOString() };
    const settings = { title: 'Agree?' };
    const wait = { ...times, kind: 'approval', calls: 0, dueAt: null, settings, progress: {} };
    const listed = endText({ ...times, status: 'open' } as Parameters<typeof endText>[0], now);
    const explained = shortWait(wait as unknown as Parameters<typeof shortWait>[0], now);
    expect(explained).toBe(`the approval "Agree?" for 7 d, times out ${listed}`);
  }
});

it('the page shows the time until a moment in the same form', () => {
  const at = (ms: number) => nearText(-ms);
  expect(at(89 * MINUTE)).toBe('in 1 h 29 min');
  expect(at(23 * HOUR + 59 * MINUTE)).toBe('in 23 h 59 min');
  expect(at(29 * MINUTE)).toBe('in 29 min');
  expect(at(30_000)).toBe('in 30 s');
  expect(at(-89 * MINUTE)).toBe('1 h ago');
});
