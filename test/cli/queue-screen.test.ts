import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import type { SearchPage } from '../../src/app/operator-types.ts';
import { flowNotes, needsTable, queueTable } from '../../src/cli/queue/queue.ts';
import { pageNotes } from '../../src/cli/show/page-notes.ts';

type Queue = Parameters<typeof queueTable>[0][number];

const queue = (more: Partial<Queue> = {}): Queue => ({
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
  retries: 0,
  nextRetryAt: null,
  nextRetryMs: null,
  workers: ['w'],
  draining: [],
  slots: 2,
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
  ...more,
});
const plain = (text: string | undefined) => stripVTControlCharacters(text ?? '');

it('a queue shows its steps in and out per minute, and whether it grows or shrinks', () => {
  const flowSince = new Date(Date.now() - 10 * 60_000).toISOString();
  const queues = [
    queue({ inPerMinute: 120, outPerMinute: 3.5, isGrowing: true, flowSince }),
    queue({ namespace: 'depot', inPerMinute: 1, outPerMinute: 40, isGrowing: false, flowSince }),
    queue({ namespace: 'mail', inPerMinute: 7, outPerMinute: 7, isGrowing: false, flowSince }),
  ];
  const rows = plain(queueTable(queues, { wide: false })).split('\n');
  expect(rows[0]).toMatch(/^NAMESPACE +READY +IN\/MIN +OUT\/MIN /);
  expect(rows[1]).toMatch(/^shop +0 +↑ 120 +3\.5 /);
  expect(rows[2]).toMatch(/^depot +0 +↓ 1 +40 /);
  expect(rows[3]).toMatch(/^mail +0 +7 +7 /);
  expect(flowNotes(queues)).toEqual(['in and out over the last 10 minutes; shop grows']);
  expect(flowNotes([queue()])).toEqual([
    'in and out are not known: no running process counts attempts (analytics.enabled)',
  ]);
});

it('a queue shows hung slots, lost workers, approvals and failing schedules, each with its command', () => {
  const found = queue({ slotsTaken: 2, hungSlots: 2, lost: ['w1'], approvals: 24, failingSchedules: 1 });
  expect(plain(queueTable([found], { wide: false }))).toMatch(/ 2\/2, 2 hung .* 1 \(1 lost\)$/m);
  expect(
    plain(needsTable([found, queue({ namespace: 'quiet' })]))
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/ {2,}/)),
  ).toEqual([
    ['shop', '2 slots held by hung handlers', 'npx tasker worker list -n shop'],
    ['shop', '1 worker lost in the last hour', 'npx tasker worker list -n shop --state lost'],
    ['shop', '1 failing schedule', 'npx tasker schedule list'],
    ['shop', '24 approvals to decide', 'npx tasker approval list -n shop'],
  ]);
  expect(needsTable([queue()])).toBeUndefined();
});

it('a list shows a total that is not exact as a lower bound, and by how much the search is behind', () => {
  const page: SearchPage = {
    total: 10_000,
    totalIsExact: false,
    nextCursor: null,
    previousCursor: null,
    timedOut: false,
    lagMs: 90_000,
  };
  const notes = (more: Partial<SearchPage>) =>
    pageNotes({ ...page, ...more }, { found: 25, what: 'task', filter: 'status error' });
  expect(notes({})).toEqual(['25 of 10,000+ tasks: status error', 'changes of the last 2 min may be missing']);
  expect(notes({ lagMs: 119 * 60_000 })[1]).toBe('changes of the last 1 h 59 min may be missing');
  expect(notes({ total: 25, totalIsExact: true, lagMs: 300 })).toEqual(['25 tasks: status error']);
});
