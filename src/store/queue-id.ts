/**
 * Whether any pause is in force. The expression depends on no row, so a statement evaluates it only once. Without
 * pauses, this is the only cost.
 */
export const ANY_PAUSE = '(select exists (select 1 from tasker.pause where resumed_at is null))';

/** Ready steps of templates with steps that wait are queued under the id of their namespace plus this number. */
const LANE = 1_073_741_824;

/** Returns the part of the queue for the templates of a namespace that have steps that wait. */
export function laneOf(namespaceId: number): number {
  return namespaceId + LANE;
}

/**
 * Ready steps of templates with limits are queued under the id of their usual part plus this number, until they are sorted
 * into the lines of their limits. No claim reads them.
 */
const LIMITED = 268_435_456;

/** Returns the part of the queue for the steps of a part whose templates have limits. */
export function limitedPartOf(queueId: number): number {
  return queueId + LIMITED;
}

/** Returns all parts of a namespace's queue that are neither paused nor withheld. */
export function usualPartsOf(namespaceId: number): number[] {
  return [namespaceId, laneOf(namespaceId)].flatMap((part) => [part, limitedPartOf(part)]);
}

/**
 * Ready steps whose handler no live worker has are queued under the negated sum of their usual part and this number. No
 * claim reads them.
 */
const WITHHELD = 536_870_912;

/** Returns the part of the queue for the steps of a part that wait for a worker with their handler. */
export function withheldPartOf(queueId: number): number {
  return -(queueId + WITHHELD);
}

/** The usual parts of a namespace's queue, as a list in SQL. */
const usualIn = (id: string): string[] => [id, `${id} + ${LANE}`, `${id} + ${LIMITED}`, `${id} + ${LANE + LIMITED}`];

/** The parts of a namespace's queue that claims read, or that wait for admission, as a list for `= any (…)`. */
export const partsOf = (namespaceId: string): string => `array[${usualIn(namespaceId).join(', ')}]`;
/** The parts of a namespace's queue for steps whose handler no live worker has, as a list for `= any (…)`. */
export const withheldPartsOf = (namespaceId: string): string =>
  `array[${usualIn(namespaceId)
    .map((part) => `-(${part}) - ${WITHHELD}`)
    .join(', ')}]`;
/** The parts of a namespace's queue that are not paused, as a list for `= any (…)`. */
export const unpausedPartsOf = (namespaceId: string): string =>
  `(${partsOf(namespaceId)} || ${withheldPartsOf(namespaceId)})`;
/** The paused parts of a namespace's queue, as a list for `= any (…)`. */
export const pausedPartsOf = (namespaceId: string): string =>
  `array[${usualIn(namespaceId)
    .map((part) => `-(${part})`)
    .join(', ')}]`;
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

/** Whether any handler's steps are withheld. Like {@link ANY_PAUSE}, evaluated once per statement. */
const ANY_WITHHELD = `(select exists (select 1 from tasker.missing_handler where state = 'withheld'))`;

/**
 * The part of the queue for a ready step, considering pauses and the handlers that no live worker has. A pause takes
 * precedence. Statements that make steps ready use {@link queueIdOf} instead, because most handlers exist. A step whose
 * handler is missing is then claimed once and put into this part.
 */
export function placeOf({ template, task, idx }: { template: string; task: string; idx: string }): string {
  return `(
    select case when m.queue_id < 0 then m.queue_id
                when ${ANY_PAUSE} and exists (
                  select 1 from tasker.pause p where p.task_uuid = ${task} and p.resumed_at is null) then -m.queue_id
                when ${ANY_WITHHELD} and exists (
                  select 1 from tasker.template_step s
                    join tasker.missing_handler h on h.namespace_id = m.namespace_id and h.callable = s.callable
                   where s.template_id = m.id and s.idx = tasker.template_idx(${idx}) and h.state = 'withheld'
                     and h.resolver is not distinct from s.resolver) then -m.queue_id - ${WITHHELD}
                else m.queue_id end
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
