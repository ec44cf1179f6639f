import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const EVENT_TASKS = sql('event_tasks')`
select t.task_uuid, t.template_id, t.rank, t.context, t.correlation_id, t.parent_correlation_id, t.initiator, t.source_system,
       t.reason, t.tags, t.done_at is not null and t.state = 'complete' complete, tasker.iso(t.created_at) created_at
  from tasker.task t where t.task_uuid = any ($1::uuid[])`;

/** What an event tells of its task. */
export interface EventTaskRow {
  task_uuid: string;
  template_id: number;
  rank: number;
  /** JSON text. */
  context: string;
  correlation_id: string | null;
  parent_correlation_id: string | null;
  initiator: string | null;
  source_system: string | null;
  reason: string | null;
  tags: string[] | null;
  complete: boolean;
  created_at: string;
}

/** Tasks by their ids, without a look at their steps, of which there may be thousands. */
export async function eventTasks(db: Db, taskUuids: readonly string[]): Promise<EventTaskRow[]> {
  return (await db.query<EventTaskRow>(EVENT_TASKS, [`{${taskUuids.join(',')}}`])).rows;
}
