import type { Db } from '../../db/statement.ts';
import type { StepEvents } from '../record-steps.ts';
import { sql } from '../sql.ts';
import type { StepKey } from '../step-key.ts';

const STORE_EVENTS = sql('store_events')`
insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, number, publisher, payload, metadata, execution, fired_at)
select (e.event ->> 'id')::uuid, e.event ->> 'name', (s.step ->> 'taskUuid')::uuid, (s.step ->> 'idx')::int,
       (s.step ->> 'attempt')::int, nullif(coalesce(h.number, x.number), (s.step ->> 'attempt')::int), e.event ->> 'publisher', e.event -> 'payload',
       e.event -> 'metadata' || coalesce(c.above, '{}'), s.step -> 'execution', statement_timestamp()
  from jsonb_array_elements($1::jsonb) with ordinality s (step, ord)
  left join lateral (
    select coalesce(y.number, y.attempt) number from tasker.history y
     where y.task_uuid = (s.step ->> 'taskUuid')::uuid and y.idx = (s.step ->> 'idx')::int
       and y.attempt = (s.step ->> 'attempt')::int offset 0) h on true
  left join lateral (
    select y.attempts - y.spared number from tasker.step y
     where y.task_uuid = (s.step ->> 'taskUuid')::uuid and y.idx = (s.step ->> 'idx')::int
       and y.attempts = (s.step ->> 'attempt')::int offset 0) x on true
  left join lateral (
    select jsonb_build_object('parent_task_uuid', y.parent_uuid, 'root_task_uuid', y.root_uuid) above from tasker.child_task y
     where y.child_uuid = (s.step ->> 'taskUuid')::uuid offset 0) c on true
 cross join lateral jsonb_array_elements(s.step -> 'events') with ordinality e (event, place)
 order by s.ord, e.place`;

/** Events of an attempt whose worker did not record it. Each has a payload. */
export interface EventsOfAttempt extends StepEvents, StepKey {
  attempt: number;
}

/** Stores events without a recording. Those of a child task name its parent and its root. Call it after lockTasks. */
export async function storeEvents(db: Db, attempts: readonly EventsOfAttempt[]): Promise<void> {
  await db.query(STORE_EVENTS, [JSON.stringify(attempts)]);
}
