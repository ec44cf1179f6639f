import { expect, it, onTestFinished } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import type { TaskFilter } from '../../../src/engine/search/filter.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError, RetryableError } from '../../../src/handlers/failures/handler-errors.ts';
import { template } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();

const STEPS = { pay: [], ship: ['pay'] };
const HANDLERS = [
  defineHandler('pay', { inputs: { error: 'error', type: 'type', later: 'later' } }, ({ error, type, later }) => {
    const errorType = (type as string | undefined) ?? null;
    if (later) throw new RetryableError(error as string, { retryAfter: 3600, errorType: errorType ?? 'retryable' });
    if (error) throw new PermanentError(error as string, { ...(errorType !== null && { errorType }) });
    return {};
  }),
  defineHandler('ship', {}, () => ({})),
];

/** Runs tasks with these contexts, and waits until the search shows the final state of each. */
async function scene(contexts: Record<string, unknown>[]) {
  const { tasker, demo } = await shared.setup(STEPS, { handlers: HANDLERS });
  const tasks = await tasker.createTasks(contexts.map((context) => ({ ...demo, context })));
  const own = { namespace: demo.namespace };
  const resting = async () => {
    const { states } = await tasker.summarizeTasks(own);
    return (states.complete ?? 0) + (states.blocked_by_failures ?? 0) + (states.waiting_for_retry ?? 0);
  };
  await expect.poll(resting).toBe(contexts.length);
  return { tasker, demo, own, tasks, ids: tasks.map((task) => task.taskUuid) };
}

const total = async (tasker: Tasker, filter: TaskFilter) => (await tasker.listTasks(filter, {})).total;

it('tasks are counted by template and state', async () => {
  const { tasker, own, ids } = await scene([{}, {}, { error: 'no' }, { error: 'busy', later: true }]);
  const summary = await tasker.summarizeTasks(own);
  const counts = { complete: 2, blocked_by_failures: 1, waiting_for_retry: 1 };
  expect(summary).toMatchObject({
    templates: [{ ...own, name: 'demo', version: '1.0.0', counts }],
    states: counts,
    openSince: null,
    endedSince: null,
  });
  await expect.poll(async () => (await tasker.summarizeTasks(own)).lagMs).toBeLessThan(5_000);
  await tasker.cancelTask(ids[3]!);
  await expect
    .poll(async () => (await tasker.summarizeTasks(own)).states)
    .toEqual({
      complete: 2,
      blocked_by_failures: 1,
      cancelled: 1,
    });
  expect((await tasker.summarizeTasks({ ...own, open: true })).states).toEqual({ blocked_by_failures: 1 });
  expect((await tasker.summarizeTasks({ ...own, ended: true })).states).toEqual({ complete: 2, cancelled: 1 });
  expect((await tasker.summarizeTasks({ ...own, status: ['complete', 'error'] })).states).toEqual({ complete: 2 });
  expect((await tasker.summarizeTasks({ ...own, context: { error: 'no' } })).states).toEqual({
    blocked_by_failures: 1,
  });
  expect((await tasker.summarizeTasks({ ...own, createdBefore: '1h' })).states).toEqual({});
});

it('failures that differ only in numbers, ids and quoted text are one group, and its filter finds its tasks', async () => {
  const id = () => crypto.randomUUID();
  const { tasker, own, ids } = await scene([
    { error: `card "4711" of request ${id()} was declined after 12.5 s`, type: 'declined' },
    { error: `card "0815" of request ${id()} was declined after 3 s\nat the bank`, type: 'declined' },
    { error: 'account O-17 is closed', type: 'declined' },
    { error: `card "0815" of request ${id()} was declined after 3 s`, type: 'other' },
    { error: 'it broke' },
    {},
  ]);
  const { failed, waitingForRetry, unserved } = await tasker.summarizeTasks(own);
  expect(failed).toMatchObject({ steps: 5, moreGroups: 0, timedOut: false });
  expect(failed.groups[0]).toMatchObject({
    ...own,
    name: 'demo',
    step: 'pay',
    handler: 'pay',
    count: 2,
    errorType: 'declined',
    pattern: 'card * of request * was declined after * s',
    filter: { ...own, name: 'demo', open: true, step: 'pay', stepState: 'error', errorType: 'declined' },
  });
  expect(ids.slice(0, 2)).toContain(failed.groups[0]!.taskUuid);
  expect(failed.groups[0]!.error).toMatch(/^card "(4711|0815)" of request/);
  expect(failed.groups.map((group) => group.pattern).sort()).toEqual([
    'account * is closed',
    'card * of request * was declined after * s',
    'card * of request * was declined after * s',
    'it broke',
  ]);
  for (const { count, filter, taskUuid } of failed.groups) {
    expect(await total(tasker, filter), JSON.stringify(filter)).toBe(count);
    expect((await tasker.listTasks(filter, {})).tasks.map((task) => task.taskUuid)).toContain(taskUuid);
  }
  expect(waitingForRetry).toMatchObject({ steps: 0, groups: [] });
  expect(unserved).toMatchObject({ steps: 0, groups: [] });
});

it('failures with different HTTP status codes are different groups, and the filter of each finds its tasks', async () => {
  const { tasker, own } = await scene([
    { error: 'HTTP 404: order 17 is unknown', type: 'http' },
    { error: 'HTTP 404: order 4711 is unknown', type: 'http' },
    { error: 'HTTP 503: order 17 is unknown', type: 'http' },
    { error: 'Request failed with status code 500 after 30 ms', type: 'http' },
    { error: 'Request failed with status code 502 after 31 ms', type: 'http' },
    { error: 'HTTP/1.1 429 for "a"', type: 'http' },
    { error: 'read 404 rows in 503 ms', type: 'http' },
    { error: 'read 405 rows in 504 ms', type: 'http' },
    { error: '{"message":"status 500","id":"a"}', type: 'http' },
    { error: '{"message":"status 502","id":"b"}', type: 'http' },
  ]);
  const { failed } = await tasker.summarizeTasks(own);
  expect(failed.groups.map(({ pattern, count }) => [pattern, count]).sort()).toEqual([
    ['HTTP 404: order * is unknown', 2],
    ['HTTP 503: order * is unknown', 1],
    ['HTTP/* 429 for *', 1],
    ['Request failed with status code 500 after * ms', 1],
    ['Request failed with status code 502 after * ms', 1],
    ['read * rows in * ms', 2],
    ['{*:*:*}', 2],
  ]);
  for (const { pattern, count, filter } of failed.groups) {
    // The last pattern has no text of its own.
    if (pattern !== '{*:*:*}') expect(await total(tasker, filter), JSON.stringify(filter)).toBe(count);
  }
});

it('steps that wait for a retry form groups with the times at which they are due', async () => {
  const { tasker, own } = await scene([
    { error: 'answered 503', type: 'busy', later: true },
    { error: 'answered 503', type: 'busy', later: true },
  ]);
  const { waitingForRetry, failed } = await tasker.summarizeTasks(own);
  expect(failed.steps).toBe(0);
  expect(waitingForRetry).toMatchObject({ steps: 2, groups: [{ count: 2, pattern: 'answered 503' }] });
  const [{ firstAt, lastAt, filter }] = waitingForRetry.groups as [(typeof waitingForRetry.groups)[0]];
  expect(Date.parse(firstAt)).toBeGreaterThan(Date.now() + 3_000_000);
  expect(Date.parse(lastAt)).toBeGreaterThanOrEqual(Date.parse(firstAt));
  expect(await total(tasker, filter)).toBe(2);
});

it('ready steps in a namespace without a live worker form a group', async () => {
  const namespace = 'alone';
  const tasker = await createTasker({
    databaseUrl: shared.url,
    migrate: false,
    worker: false,
    templates: [template({ label: [] }, { namespace }), template({ weigh: [] }, { namespace, name: 'other' })],
  });
  onTestFinished(() => tasker.stop());
  const tasks = await tasker.createTasks(['demo', 'demo', 'other'].map((name) => ({ namespace, name })));
  const unserved = async () => (await tasker.summarizeTasks({ namespace })).unserved;
  await expect.poll(async () => (await unserved()).steps).toBe(3);
  const { groups } = await unserved();
  expect(groups).toMatchObject([{ namespace, reason: 'no_worker', count: 3 }]);
  expect([...groups[0]!.handlers].sort()).toEqual(['label', 'weigh']);
  expect([...groups[0]!.templates].sort()).toEqual(['demo@1.0.0', 'other@1.0.0']);
  expect(Date.now() - Date.parse(groups[0]!.firstAt!)).toBeLessThan(60_000);
  expect(await total(tasker, groups[0]!.filter)).toBe(3);
  for (const { taskUuid } of tasks) await tasker.cancelTask(taskUuid);
  await expect.poll(async () => (await unserved()).steps).toBe(0);
});

it('the summary of an empty database is empty', async () => {
  const { tasker } = await shared.setup(STEPS, { handlers: HANDLERS });
  const nothing = { templates: [], states: {}, failed: { steps: 0, groups: [] }, unserved: { steps: 0, groups: [] } };
  expect(await tasker.summarizeTasks({ namespace: 'nowhere' })).toMatchObject(nothing);
  expect(await tasker.summarizeTasks({ name: 'nothing' })).toMatchObject(nothing);
  await expect(tasker.summarizeTasks({ status: 'failed' })).rejects.toThrow(/failed is not a task state/);
  await expect(tasker.summarizeTasks({}, { groups: 0 })).rejects.toThrow(/groups must be a whole number/);
  await expect(tasker.summarizeTasks({}, { endedSince: 'noon' })).rejects.toThrow(/endedSince: noon is not a time/);
});
