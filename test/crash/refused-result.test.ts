import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { openSession } from '../support/database.ts';
import { DEMO, deferred, endStates, invariants, setup, states, template, until } from '../support/setup.ts';

/** A value that is valid JSON when it is checked, and invalid when it is written. */
function changing() {
  let reads = 0;
  return { toJSON: () => (++reads === 2 ? 'a\0b' : 'fine') };
}

/** Starts a worker whose handlers end at the same time, so that their results are recorded together. */
async function together(resultOf: (n: number) => unknown) {
  const gate = deferred();
  const handler = defineHandler('a', { inputs: { n: 'n' } }, async ({ n }) => {
    await gate.promise;
    return resultOf(n as number);
  });
  const kit = await setup({ templates: template({ a: [] }), handlers: [handler], logger: silentLogger });
  const create = (count: number) =>
    kit.tasker.createTasks(Array.from({ length: count }, (_, n) => ({ ...DEMO, context: { n } })));
  const allRun = (count: number) =>
    until(
      () => kit.tasker.stats?.running,
      (running) => running === count,
    );
  return { ...kit, gate, create, allRun };
}

describe('a result that PostgreSQL rejects', () => {
  const culprits = {
    "because jsonb can't store it": { bad: changing, prepare: '', message: 'unsupported Unicode escape sequence' },
    'because a constraint forbids it': {
      bad: () => ({ bad: true }),
      prepare: `alter table tasker.step add constraint no_bad check (not coalesce(result->'value' ? 'bad', false))`,
      message: 'no_bad',
    },
  };
  for (const [why, { bad, prepare, message }] of Object.entries(culprits)) {
    it(`a result that is rejected ${why} fails its step permanently, and the results sent with it are recorded`, async () => {
      const { tasker, sql, gate, create, allRun } = await together((n) => (n === 17 ? { value: bad() } : { n }));
      if (prepare) await sql(prepare);
      const tasks = await create(50);
      await allRun(50);
      gate.resolve();
      const ends = await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })));
      expect(ends.map((task) => task.status)).toEqual(
        tasks.map((_, n) => (n === 17 ? 'blocked_by_failures' : 'complete')),
      );
      const [culprit] = await tasker.getHistory(tasks[17]!.taskUuid);
      expect(JSON.stringify(culprit)).toContain(`the result cannot be stored: `);
      expect(JSON.stringify(culprit)).toContain(message);
      expect((await tasker.getSteps(tasks[17]!.taskUuid))[0]!.attempts).toBe(1);
      await invariants(sql);
    });
  }
});

it('a retryable failure that PostgreSQL rejects is retried, with the reason in its message', async () => {
  let calls = 0;
  const { tasker, sql, gate, create, allRun } = await together((n) => {
    if (n !== 3 || ++calls > 1) return { n };
    return StepHandlerResult.failure('unwanted words', { retryable: true });
  });
  await sql(
    `alter table tasker.history add constraint no_words check (coalesce(detail::text, '') not like '%unwanted%')`,
  );
  const tasks = await create(8);
  await allRun(8);
  gate.resolve();
  expect(await endStates(tasker, tasks)).toEqual(['complete']);
  const [refused, recorded] = await tasker.getHistory(tasks[3]!.taskUuid);
  expect(refused).toMatchObject({ what: 'failed', error: { retryable: true } });
  expect(refused!.why).toContain('no_words');
  expect(recorded).toMatchObject({ what: 'completed', attempt: 2 });
  await invariants(sql);
});

describe('a valid result', () => {
  it("a valid result is not mistaken for an invalid result while the server's disk is full, and is recorded afterwards", async () => {
    const { tasker, sql, gate, create, allRun } = await together((n) => ({ n }));
    await sql(`create sequence refusals`);
    await sql(`
      create function no_room() returns trigger language plpgsql as $$ begin
        if nextval('refusals') < 5 then raise exception 'no space left on device' using errcode = '53100'; end if;
        return new; end $$`);
    await sql(`create trigger no_room before insert on tasker.history for each row execute function no_room()`);
    const tasks = await create(5);
    await allRun(5);
    gate.resolve();
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    await invariants(sql);
  });

  it('a valid result is sent again if an administrator cancels its statement', async () => {
    const { tasker, sql, url, gate, create, allRun } = await together((n) => ({ n }));
    const [task] = await create(1);
    await allRun(1);
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.task for update');
    gate.resolve();
    const waiting = `from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    for (let cancelled = 0; cancelled < 3; cancelled++) {
      await until(
        () => sql(`select pg_cancel_backend(pid) ${waiting}`),
        (rows) => rows.length > 0,
      );
    }
    await session.query('commit');
    expect((await tasker.waitForTask(task!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await states(tasker, task!.taskUuid)).toEqual({ a: 'complete' });
  });

  it('a valid result is not delayed by another task that is locked, even if both results were sent together', async () => {
    const { tasker, sql, url, gate, create, allRun } = await together((n) => ({ n }));
    const [locked, ...mates] = await create(4);
    await allRun(4);
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.task where task_uuid = $1 for update', [locked!.taskUuid]);
    gate.resolve();
    await until(
      () => sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
      (waiting) => waiting.length > 0,
    );
    const [next] = await create(1);
    // All other tasks end while this task is locked.
    expect(await endStates(tasker, [next!, ...mates])).toEqual(['complete']);
    expect((await tasker.getTask(locked!.taskUuid)).status).not.toBe('complete');
    await session.query('commit');
    expect((await tasker.waitForTask(locked!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    await invariants(sql);
  });
});
