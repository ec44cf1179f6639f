import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { TaskerStatus } from '../../src/app/overview/status.ts';
import { statusText } from '../../src/cli/project/status.ts';

const QUIET: TaskerStatus = {
  at: '2026-11-28T03:00:00.000000Z',
  workers: { alive: 1, lost: 0, slots: 20, slotsUsed: 0, hungSlots: 0, atLeast: [] },
  queues: [],
  open: {},
  openAtLeast: [],
  waits: [],
  attention: {
    blocked: 0,
    stale: 0,
    unserved: 0,
    deadLetters: 0,
    deadDeliveries: 0,
    lateTimers: 0,
    lateSchedules: 0,
    approvals: 0,
    failingSchedules: 0,
    noWorker: false,
    atLeast: [],
  },
  pauses: [],
  unserved: [],
  unservedHandlers: [],
  perMinute: { created: 0, ended: 0, attempts: 0, failures: 0, estimated: false },
  prune: null,
  lagMs: 0,
};

const textOf = (status: TaskerStatus) => stripVTControlCharacters(statusText(status).join('\n'));

describe('the status reports that nothing needs you', () => {
  it('if there is no problem', () => {
    expect(textOf(QUIET)).toContain('nothing needs you');
  });

  const { workers, attention } = QUIET;
  it.each([
    ['a handler is hung', { workers: { ...workers, hungSlots: 1 } }, '1 slot held by a hung handler'],
    ['a worker was lost', { workers: { ...workers, lost: 2 } }, '2 workers lost in the last hour'],
    ['no worker is alive', { attention: { ...attention, noWorker: true } }, 'no worker is alive'],
    ['approvals wait', { attention: { ...attention, approvals: 24 } }, '24 approvals wait for a decision'],
    ['a schedule fails', { attention: { ...attention, failingSchedules: 1 } }, '1 failing schedule'],
    [
      'no worker has a handler',
      { unservedHandlers: [{ namespace: 'shop', handler: 'charge', steps: 2, since: '2026-11-28T02:57:00.000000Z' }] },
      'no worker has charge, for 3 min',
    ],
    ['tasks are blocked', { attention: { ...attention, blocked: 3 } }, '3 tasks blocked by failures'],
  ])('unless %s', (_, more: Partial<TaskerStatus>, says) => {
    const text = textOf({ ...QUIET, ...more });
    expect(text).not.toContain('nothing needs you');
    expect(text).toContain(says);
  });
});

it('the status fits on a screen of 24 lines and 80 columns, even if all problems come together', () => {
  const many = 100_000;
  const queue = {
    ready: many,
    oldestAt: '2026-11-27T03:00:00.000000Z',
    running: 1_000,
    workers: 0,
    unserved: many,
    atLeast: ['ready', 'unserved'] as ('ready' | 'unserved')[],
  };
  const worst: TaskerStatus = {
    ...QUIET,
    workers: { alive: 100, lost: 500, slots: 10_000, slotsUsed: 10_000, hungSlots: 10_000, atLeast: ['lost'] },
    queues: Array.from({ length: 30 }, (_, i) => ({ ...queue, namespace: `namespace-${i}` })),
    attention: {
      blocked: many,
      stale: many,
      unserved: many,
      deadLetters: many,
      deadDeliveries: many,
      lateTimers: many,
      lateSchedules: 10_000,
      approvals: many,
      failingSchedules: 10_000,
      noWorker: true,
      atLeast: [
        'blocked',
        'stale',
        'unserved',
        'deadLetters',
        'deadDeliveries',
        'lateTimers',
        'lateSchedules',
        'approvals',
        'failingSchedules',
      ],
    },
  };
  const text = textOf(worst);
  for (const bound of [
    '500+ lost',
    '100,000+ tasks blocked by failures',
    '100,000+ ready steps without a worker',
    '500+ workers lost in the last hour',
    '10,000+ failing schedules',
    '100,000+ approvals wait for a decision',
    '100,000+ waits overdue',
    '10,000+ late schedules',
    '100,000+ dead letters',
    '100,000+ stale tasks',
    '100,000+ dead deliveries of events',
  ]) {
    expect(text).toContain(bound);
  }
  // No bound is printed as an exact number.
  expect(text.match(/100,?000(?!\+)|500 |[^0]10,?000 (late|failing)/g)).toBeNull();
  const lines = text.split('\n');
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
});
