import { expect, it } from 'vitest';
import { unservedSteps } from '../../src/app/overview/unserved.ts';

const READY = { name: 'flow', version: '1.0.0', step: 'one', resolver: null, count: 1, first: null };
const WORKER = {
  id: 1,
  instance: '1',
  name: 'w1',
  host: 'h',
  pid: 1,
  concurrency: 10,
  hung: 0,
  state: 'alive',
  startedAt: '',
  leaseUntil: '',
  living: true,
  draining: false,
} as const;

it('a step is served if a live worker of its namespace announced its handler or resolver', () => {
  const ready = [
    { ...READY, namespace: 'a', handler: 'known' },
    { ...READY, namespace: 'a', handler: 'shop.pay' },
    { ...READY, namespace: 'a', handler: 'x', resolver: 'special' },
  ];
  const worker = { ...WORKER, namespaces: ['a'], callables: ['~@special', '~/^shop\\./', 'known'] };
  expect(unservedSteps(ready, [worker])).toEqual([]);
  expect(unservedSteps(ready, [{ ...worker, living: false }])).toMatchObject([{ reason: 'no_worker', count: 3 }]);
  expect(unservedSteps(ready, [{ ...worker, namespaces: ['b'] }])).toMatchObject([{ reason: 'no_worker', count: 3 }]);
});

it('unserved steps are grouped by namespace if it has no worker, and otherwise by handler', () => {
  const ready = [
    { ...READY, namespace: 'a', handler: 'one', count: 2, first: '2026-01-02' },
    { ...READY, namespace: 'a', handler: 'two', count: 3, name: 'other', first: '2026-01-01' },
    { ...READY, namespace: 'b', handler: 'one', count: 9 },
    { ...READY, namespace: 'b', handler: 'two', count: 1 },
    { ...READY, namespace: 'b', handler: 'known', count: 50 },
  ];
  expect(unservedSteps(ready, [{ ...WORKER, namespaces: ['b'], callables: ['known'] }])).toMatchObject([
    { namespace: 'b', reason: 'no_handler', handlers: ['one'], count: 9, filter: { namespace: 'b', handler: 'one' } },
    {
      namespace: 'a',
      reason: 'no_worker',
      handlers: ['one', 'two'],
      templates: ['flow@1.0.0', 'other@1.0.0'],
      count: 5,
      firstAt: '2026-01-01',
      filter: { namespace: 'a', stepState: 'enqueued' },
    },
    { namespace: 'b', reason: 'no_handler', handlers: ['two'], count: 1 },
  ]);
});
