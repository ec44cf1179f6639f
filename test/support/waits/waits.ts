import type { Sql } from '../database.ts';

/** A wait to begin. */
export interface GivenWait {
  taskUuid: string;
  /** The index of the step. */
  idx: number;
  kind: string;
  /** Maximum number of seconds until the wait ends. Null means no limit. */
  forSeconds?: number | null;
  settings?: Record<string, unknown>;
  progress?: Record<string, unknown>;
}

/** Lets a step in the queue wait, in one transaction, as the recording of its attempt does. */
export async function letWait(
  sql: Sql,
  { taskUuid, idx, kind, forSeconds = null, settings = {}, progress = {} }: GivenWait,
): Promise<void> {
  await sql(
    `with q as (delete from tasker.queue where task_uuid = $1 and idx = $2),
     s as (update tasker.step set state = 'waiting', claim = 1, attempts = attempts + 1, started_at = now() where task_uuid = $1 and idx = $2),
     t as (update tasker.task set n_active = n_active - 1, n_wait = n_wait + 1 where task_uuid = $1
           returning template_id, rank)
     insert into tasker.wait (task_uuid, idx, kind, attempt, template_id, rank, until, due_at, settings, progress)
     select $1, $2, $3, 1, template_id, rank, now() + $4::int * interval '1 second', now() + $4::int * interval '1 second', $5, $6
       from t`,
    [taskUuid, idx, kind, forSeconds, JSON.stringify(settings), JSON.stringify(progress)],
  );
}

/** Lets a task that was just created wait for its start. */
export async function letStartLater(sql: Sql, taskUuid: string, forSeconds: number): Promise<void> {
  await sql(
    `with q as (delete from tasker.queue where task_uuid = $1),
     s as (update tasker.step set state = 'pending' where task_uuid = $1),
     t as (update tasker.task set n_active = 0, n_wait = 1 where task_uuid = $1 returning template_id, rank)
     insert into tasker.wait (task_uuid, idx, kind, template_id, rank, until, due_at)
     select $1, -1, 'start', template_id, rank, now() + $2::int * interval '1 second', now() + $2::int * interval '1 second' from t`,
    [taskUuid, forSeconds],
  );
}
