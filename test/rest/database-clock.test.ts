import { afterEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { asking } from '../support/rest/contract.ts';
import { DEMO, setup, template } from '../support/setup.ts';

afterEach(() => vi.useRealTimers());

const HOUR = 3_600_000;

/** An app in a process whose clock is a day ahead of the clock of the database. */
async function aheadOfDatabase() {
  const made = await setup({ templates: template({ a: [] }), worker: false });
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * HOUR });
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const ask = asking(restApp({ tasker: made.tasker, logger: silentLogger, facts }));
  const now = async () =>
    Date.parse((await made.sql<{ at: string }>('select tasker.iso(clock_timestamp()) at'))[0]!.at);
  return { ...made, ask, now };
}

it('a task that is rescheduled in 2h starts 2 hours later by the clock of the database', async () => {
  const { tasker, ask, now } = await aheadOfDatabase();
  const { taskUuid } = await tasker.createTask({ ...DEMO, startAt: '2100-01-01T00:00:00Z' });
  const before = await now();
  const { status, body } = await ask<{ start_at: string }>('POST', `/v1/tasks/${taskUuid}/reschedule`, { in: '2h' });
  expect(status).toBe(200);
  const after = Date.parse(body.start_at) - before;
  expect(after).toBeGreaterThanOrEqual(2 * HOUR);
  expect(after).toBeLessThan(2.1 * HOUR);
});

it('an age in a filter is measured by the clock of the database', async () => {
  const { tasker, ask } = await aheadOfDatabase();
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.deadLetters.add(taskUuid);
  await tasker.engine.search.flush();
  const count = async (path: string, list: string) => {
    const { status, body } = await ask<Record<string, unknown[]>>('GET', path);
    expect(status).toBe(200);
    return body[list]!.length;
  };
  expect(await count('/v1/tasks?created_after=10m', 'tasks')).toBe(1);
  expect(await count('/v1/tasks?created_before=10m', 'tasks')).toBe(0);
  expect(await count('/v1/audit?after=10m', 'entries')).toBe(1);
  expect(await count('/v1/audit?before=10m', 'entries')).toBe(0);
  expect((await tasker.deadLetters.list({ addedAfter: '10m' })).entries).toHaveLength(1);
  expect((await tasker.deadLetters.list({ addedBefore: '10m' })).entries).toHaveLength(0);
  expect((await tasker.summarizeTasks({ createdAfter: '10m' }, { endedSince: '1h' })).states).toEqual({ pending: 1 });
  expect(await tasker.bulk.cancel({ createdBefore: '10m' }).preview()).toMatchObject({ matched: 0 });
});
