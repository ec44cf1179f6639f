/**
 * Whether any pause is in force. The expression depends on no row, so a statement evaluates it only once. Without
 * pauses, this is the only cost.
 */
export const ANY_PAUSE = '(select exists (select 1 from tasker.pause where resumed_at is null))';

/**
 * Ready steps of templates with steps that wait are queued under the id of their namespace plus this number. Programs
 * of earlier versions do not read these rows.
 */
const LANE = 1_073_741_824;

/** Returns the part of the queue for the templates of a namespace that have steps that wait. */
export function laneOf(namespaceId: number): number {
  return namespaceId + LANE;
}

/** The parts of a namespace's queue that are not paused, as a list for `= any (…)`. */
export const partsOf = (namespaceId: string): string => `array[${namespaceId}, ${namespaceId} + ${LANE}]`;
/** The paused parts of a namespace's queue, as a list for `= any (…)`. */
export const pausedPartsOf = (namespaceId: string): string => `array[-${namespaceId}, -${namespaceId} - ${LANE}]`;
/** The namespace id for a part of the queue that is not paused. */
export const namespaceOf = (part: string): string => `(${part} % ${LANE})`;

/**
 * The part of the queue for a ready step of this template and task: the id of the namespace or its lane. The id is
 * negated while the task, the template or the namespace is paused. Claims read only positive ids. Every statement that
 * inserts into the queue uses this expression; scripts/statements/record_steps.sql has a copy.
 */
export function queueIdOf({ template, task }: { template: string; task: string }): string {
  return `(
    select case when ${ANY_PAUSE} and exists (
                  select 1 from tasker.pause p where p.task_uuid = ${task} and p.resumed_at is null)
                then -abs(m.queue_id) else m.queue_id end
      from tasker.template m where m.id = ${template})`;
}

/**
 * The pauses in force for a task `t` with the template `m` and the namespace `n`, as JSON text, oldest first. Null if
 * there are none, or if the task has ended.
 */
export const PAUSES_OF_TASK = `
  case when t.done_at is null and ${ANY_PAUSE} then (
    select json_agg(json_build_object('scope', x.scope, 'target', x.target, 'pausedAt', tasker.iso(x.paused_at),
                                      'pausedBy', x.paused_by, 'reason', x.reason) order by x.paused_at)::text
      from (select 'task' scope, p.task_uuid::text target, p.paused_at, p.paused_by, p.reason
              from tasker.pause p where p.task_uuid = t.task_uuid and p.resumed_at is null
            union all
            select case when p.name is null then 'namespace' else 'template' end,
                   concat(n.name, '/' || p.name, '@' || p.version), p.paused_at, p.paused_by, p.reason
              from tasker.pause p
             where p.task_uuid is null and p.namespace_id = m.namespace_id and p.resumed_at is null
               and (p.name is null or p.name = m.name) and (p.version is null or p.version = m.version)) x) end`;
