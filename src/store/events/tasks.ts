import type { Db } from '../../db/statement.ts';
import type { TaskRow } from '../read-tasks.ts';
import { sql } from '../sql.ts';

const EVENT_TASKS = sql('event_tasks')`
select t.task_uuid "taskUuid", t.template_id "templateId", -t.rank priority, t.context,
       coalesce(t.correlation_id, t.task_uuid) "correlationId", t.parent_correlation_id "parentCorrelationId", t.initiator,
       t.source_system "sourceSystem", t.reason, coalesce(t.tags, '{}') tags,
       t.done_at is not null and t.state = 'complete' complete, tasker.iso(t.created_at) "createdAt"
  from tasker.task t where t.task_uuid = any ($1::uuid[])`;

/** What an event tells of its task. */
export interface EventTaskRow
  extends Pick<
    TaskRow,
    | 'taskUuid'
    | 'templateId'
    | 'priority'
    | 'context'
    | 'correlationId'
    | 'parentCorrelationId'
    | 'initiator'
    | 'sourceSystem'
    | 'reason'
    | 'tags'
    | 'createdAt'
  > {
  complete: boolean;
}

/** Tasks by their ids, without a look at their steps, of which there may be thousands. */
export async function eventTasks(db: Db, taskUuids: readonly string[]): Promise<EventTaskRow[]> {
  return (await db.query<EventTaskRow>(EVENT_TASKS, [`{${taskUuids.join(',')}}`])).rows;
}
