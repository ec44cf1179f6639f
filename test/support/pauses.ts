import { expect } from 'vitest';
import type { Sql } from './database.ts';

/** The objects of a pause of a task of {@link DEMO}, by what is paused. */
export const targets = (taskUuid: string) => ({
  task: { task: taskUuid },
  version: { template: 'test/demo@1.0.0' },
  template: { template: 'test/demo' },
  namespace: { namespace: 'test' },
});

/** Returns the numbers of rows in the two parts of the queue. */
export async function queued(sql: Sql): Promise<{ ready: number; paused: number }> {
  const [row] = await sql<{ ready: number; paused: number }>(
    `select (count(*) filter (where namespace_id > 0))::int ready, (count(*) filter (where namespace_id < 0))::int paused
       from tasker.queue`,
  );
  return row!;
}

/** The database's time. */
export async function databaseTime(sql: Sql): Promise<string> {
  return (await sql<{ now: string }>('select clock_timestamp()::text now'))[0]!.now;
}

/**
 * Checks that no attempt started between two moments of the database's clock. `only` limits the check to the task with
 * this id, or to the tasks of the template with this name.
 */
export async function noneStarted(sql: Sql, from: string, to: string, only?: string): Promise<void> {
  const started = await sql(
    `select x.* from (
       select 'step' place, task_uuid, idx, state::text, started_at from tasker.step
        union all select 'history', task_uuid, idx, state::text, started_at from tasker.history) x
      join tasker.task t on t.task_uuid = x.task_uuid join tasker.template m on m.id = t.template_id
     where x.started_at > $1 and x.started_at < $2 and ($3::text is null or t.task_uuid::text = $3 or m.name = $3) limit 5`,
    [from, to, only ?? null],
  );
  expect(started).toEqual([]);
}
