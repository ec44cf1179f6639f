import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { openSession } from '../support/database.ts';
import { DEMO, setup, template, until } from '../support/setup.ts';

const LEASE_MS = 1_500;
const POOL = 2;

it('a worker stays alive while its callers take every connection of the pool', async () => {
  const { tasker, sql, url } = await setup({
    templates: template({ a: [] }),
    handlers: [defineHandler('a', {}, () => ({}))],
    leaseMs: LEASE_MS,
    poolSize: POOL,
    logger: silentLogger,
  });
  const workerId = tasker.stats!.workerId;
  const session = await openSession(url);
  await session.query('select pg_advisory_lock(1)');
  const wait = { name: 'wait_for_session', text: 'select pg_advisory_xact_lock_shared(1)' };
  const taken = Promise.all(Array.from({ length: POOL * 3 }, () => tasker.engine.database.query(wait)));
  const waiting = `select count(*)::int n from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`;
  await until(
    () => sql<{ n: number }>(waiting),
    ([row]) => row!.n === POOL,
  );

  const [since] = await sql<{ at: Date }>('select clock_timestamp() at');
  const proof = `select state::text, lease_until > $2::timestamptz + interval '${LEASE_MS * 3} milliseconds' proven from tasker.worker where id = $1`;
  await until(
    () => sql(proof, [workerId, since!.at]),
    ([row]) => row!.proven === true,
    20_000,
  );
  await session.query('select pg_advisory_unlock(1)');
  await taken;
  expect(await sql(proof, [workerId, since!.at])).toEqual([{ state: 'alive', proven: true }]);
  expect(tasker.stats!.workerId).toBe(workerId);
  const { taskUuid } = await tasker.createTask(DEMO);
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
});
