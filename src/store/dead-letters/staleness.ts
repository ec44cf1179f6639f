import type { Db } from '../../db/statement.ts';
import { shownState } from '../shown-state.ts';
import { sql } from '../sql.ts';
import { LIMITS_NOW } from '../stale-tasks.ts';

// The noted tasks, and the tasks whose next check is due first. A task is checked no later than the time at which it
// can exceed a limit.
const LIST_STALENESS = sql('list_staleness')`
with w as materialized (
  (select * from tasker.task_watch where rule is not null order by task_uuid limit $1::int)
  union
  (select * from tasker.task_watch order by check_at limit $1::int))
select w.task_uuid "taskUuid", n.name "namespaceName", m.name "taskName", (${shownState('t')})::text "currentState",
       floor(extract(epoch from statement_timestamp() - moved.at - idle.held) / 60)::int "timeInStateMinutes",
       floor(extract(epoch from statement_timestamp() - t.created_at) / 60)::int "taskAgeMinutes", near.minutes "stalenessThresholdMinutes",
       case when near.part >= 1 then 'stale' when near.part >= 0.8 then 'warning' else 'healthy' end "healthStatus",
       -t.rank priority, near.rule
  from w
 cross join lateral (select * from tasker.task x where x.task_uuid = w.task_uuid and x.done_at is null offset 0) t
  join tasker.template m on m.id = t.template_id
  join tasker.namespace n on n.id = m.namespace_id
  ${LIMITS_NOW}
 cross join lateral (
   select rule, minutes, extract(epoch from statement_timestamp() - since - held) / 60 / minutes part from (
     values (duration.rule, lim.duration, begun.at, duration.held),
            (idle.rule, idle.minutes, moved.at, idle.held)) x (rule, minutes, since, held)
    where minutes is not null and not begun.is_due_later order by 3 desc limit 1) near
 order by near.part desc, w.task_uuid limit $1::int`;

/** An open task with limits, and how close it is to its nearest limit. */
export interface StalenessRow {
  taskUuid: string;
  namespaceName: string;
  taskName: string;
  currentState: string;
  /** Minutes since the task last made progress, without paused time. */
  timeInStateMinutes: number;
  taskAgeMinutes: number;
  stalenessThresholdMinutes: number;
  /** `warning`: 80 % of the limit have passed. */
  healthStatus: 'healthy' | 'warning' | 'stale';
  priority: number;
  /** The limit: a field of the template's lifecycle, or a key of the configuration. */
  rule: string;
}

/** Returns open tasks with limits, sorted by how close they are to a limit. */
export async function listStaleness(db: Db, limit: number): Promise<StalenessRow[]> {
  return (await db.query<StalenessRow>(LIST_STALENESS, [limit])).rows;
}
