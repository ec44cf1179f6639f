import { describe, expect, it } from 'vitest';
import type { Database } from '../../../src/db/database.ts';
import { fireDue } from '../../../src/engine/schedules/fire.ts';
import type { ScheduleOptions } from '../../../src/engine/schedules/options.ts';
import { TaskerError } from '../../../src/errors.ts';
import { ageSchedules } from '../../../src/store/schedules/age.ts';
import { openSession } from '../../support/database.ts';
import { setup, template, until } from '../../support/setup.ts';

const HOUR = 3_600_000;

async function bench(...schedules: (Partial<ScheduleOptions> & { name: string })[]) {
  const made = await setup({ templates: [template({ a: [] })], worker: false });
  const { tasker } = made;
  for (const more of schedules) {
    await tasker.schedules.create({ template: 'test/demo@1.0.0', every: '1h', ...more });
  }
  return {
    ...made,
    age: (ms = HOUR) => ageSchedules(tasker.engine.database, ms),
    fire: () => tasker.engine.schedules.fire(),
    outcomes: async (name: string) =>
      (await tasker.schedules.get(name)).last.map(({ outcome, taskState }) => [outcome, taskState]),
  };
}

describe('overlap: cancel_running', () => {
  it('does not cancel the task that another process has just created for the same due time', async () => {
    const { tasker, age, fire, outcomes } = await bench({ name: 'hourly', overlap: 'cancel_running' });
    await age();
    await fire();
    await age();
    const { database, templates } = tasker.engine;
    let looked = false;
    // The other process handles the due time after this process has read it.
    const query: Database['query'] = async (statement, values) => {
      const answer = await database.query(statement, values);
      if (!looked) {
        looked = true;
        await fire();
      }
      return answer as never;
    };
    const slow = { query, transaction: database.transaction.bind(database) } as Database;
    await fireDue({ database: slow, templates, cancelTask: (id, by) => tasker.engine.cancelTask(id, by) });
    expect(await outcomes('hourly')).toEqual([
      ['created', 'steps_in_process'],
      ['created', 'cancelled'],
    ]);
  });

  it('cancels no task if no new task is created in its place', async () => {
    const { age, fire, outcomes } = await bench({ name: 'hourly', overlap: 'cancel_running', catchUp: 'none' });
    await age();
    await fire();
    await age(1.5 * HOUR);
    await fire();
    expect(await outcomes('hourly')).toEqual([
      ['missed', null],
      ['created', 'steps_in_process'],
    ]);
  });

  it('does not stop other schedules while its open task is locked, and continues when the lock is released', async () => {
    const { tasker, age, fire, outcomes } = await bench({ name: 'hourly', overlap: 'cancel_running' });
    await age();
    await fire();
    await tasker.schedules.create({ name: 'other', template: 'test/demo@1.0.0', every: '1h' });
    await age();
    const { database, templates } = tasker.engine;
    const cancelTask = () => Promise.reject(new TaskerError('database_error', 'the task is locked'));
    await fireDue({ database, templates, cancelTask });
    expect(await outcomes('other')).toEqual([['created', 'steps_in_process']]);
    expect(await outcomes('hourly')).toEqual([['created', 'steps_in_process']]);
    // It checks again after a second, not immediately.
    expect(await fireDue({ database, templates, cancelTask })).toMatchObject({ schedules: 0 });
    await age(1_000);
    await fire();
    expect(await outcomes('hourly')).toEqual([
      ['created', 'steps_in_process'],
      ['created', 'cancelled'],
    ]);
  });
});

it('a due time is not lost if a lock timeout prevents the creation of its task', async () => {
  const { age, fire, outcomes, sql } = await bench({ name: 'hourly' });
  await sql(`create function pg_temp_held() returns trigger language plpgsql as
    $$ begin raise exception 'canceling statement due to lock timeout' using errcode = '55P03'; end $$`);
  await sql('create trigger held before insert on tasker.task for each row execute function pg_temp_held()');
  await age();
  await expect(fire()).rejects.toMatchObject({ code: '55P03' });
  expect(await outcomes('hourly')).toEqual([]);
  await sql('drop trigger held on tasker.task');
  await fire();
  expect(await outcomes('hourly')).toEqual([['created', 'steps_in_process']]);
});

it('applying files without a schedule does not replace the pause of an operator', async () => {
  const { tasker, sql, url } = await bench({ name: 'hourly' });
  await sql(`update tasker.schedule set source = 'shop'`);
  const operator = await openSession(url);
  await operator.query('begin');
  await operator.query(
    `update tasker.schedule set paused_at = now(), paused_by = 'ann', pause_reason = 'invoices are wrong', wake_at = null`,
  );
  const applying = tasker.engine.schedules.apply({ source: 'shop', schedules: [], all: true });
  await until(
    () =>
      sql(`select 1 from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query like '%tasker.schedule%'`),
    (rows) => rows.length > 0,
  );
  await operator.query('commit');
  await applying;
  expect(await tasker.schedules.get('hourly')).toMatchObject({ pausedBy: 'ann', pauseReason: 'invoices are wrong' });
});
