import type { StepKey } from '../step-key.ts';

/**
 * The columns of an event `e`, with {@link EVENT_NAMES} as `n`. The names come from the row of its task, which is
 * looked up individually, as in all statements that take a list.
 */
export const EVENT_COLUMNS = `
e.id, e.event_id "eventId", e.name, e.version, e.task_uuid "taskUuid", e.idx, coalesce(e.number, e.attempt) attempt, e.publisher, e.payload, e.metadata,
       e.execution, tasker.iso(e.fired_at) "firedAt", n.correlation_id "correlationId", n.namespace, n.step_name "stepName"`;

/**
 * A join that adds what {@link EVENT_COLUMNS} reads from the task of `e`. The join keeps events whose task was deleted.
 * After a rerun, another batch worker may have the index of the worker that published the event.
 */
export const EVENT_NAMES = `
left join lateral (
    select t.correlation_id, s.name namespace, tasker.step_name(coalesce(ew.name, bw.name), ts.name, e.idx) step_name
      from tasker.task t join tasker.template m on m.id = t.template_id join tasker.namespace s on s.id = m.namespace_id
      join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(e.idx)
      left join tasker.batch_worker bw on bw.task_uuid = t.task_uuid and bw.idx = e.idx
      left join lateral (
        select x.name from tasker.earlier_step x
         where e.idx >= 131072 and t.reruns > 0 and x.task_uuid = e.task_uuid and x.idx = e.idx and x.attempts >= e.attempt
         order by x.rerun limit 1) ew on true
     where t.task_uuid = e.task_uuid offset 0) n on true`;

/** An event, with the names from the row of its task. */
export interface EventRow extends StepKey {
  id: number;
  eventId: string;
  name: string;
  version: string;
  attempt: number;
  publisher: string;
  /** JSON text. */
  payload: string;
  /** JSON text. */
  metadata: string | null;
  /** JSON text, without `result` if that is the payload. */
  execution: string;
  firedAt: string;
  correlationId: string | null;
  /** Null if its task was deleted. */
  namespace: string | null;
  stepName: string | null;
}
