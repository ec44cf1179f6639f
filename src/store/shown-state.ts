/**
 * The state of a task `t` as it is shown and searched. The column `state` reflects neither waits nor claims. A task is
 * shown as `pending` until a step of it is claimed. Its column is then `steps_in_process`, or `waiting_for_dependencies`
 * if it waits for its start. `offset 0` keeps the lookup of each task by key.
 */
export const shownState = (t: string): string => `
  case when ${t}.state in ('steps_in_process', 'waiting_for_dependencies') and not exists (
              select 1 from tasker.step x where x.task_uuid = ${t}.task_uuid and x.attempts > 0 offset 0)
       then 'pending'::tasker.task_state else tasker.shown_state(${t}.state, ${t}.n_wait) end`;

/** The last change of an open task `t`, as it is shown and searched: its creation, or the latest start or end of a step. */
export const lastChange = (t: string): string => `
  select greatest(${t}.created_at, max(s.started_at), max(s.done_at)) at from tasker.step s
   where ${t}.done_at is null and s.task_uuid = ${t}.task_uuid offset 0`;

/**
 * Tasks without a claimed step are told apart from those in `steps_in_process` up to this number, newest first, because
 * their steps are looked up one task at a time.
 */
export const MOST_UNBEGUN = 10_000;

/**
 * The condition that no step of a task was claimed yet. Such a task is shown as `pending`, although its column is
 * `steps_in_process`: a claim must not write the task.
 */
export const unbegun = (taskUuid: string): string =>
  `not exists (select 1 from tasker.step u where u.task_uuid = ${taskUuid} and u.attempts > 0 offset 0)`;

/**
 * The open tasks that fulfil a condition, in the order of their ids. The index of the open tasks begins with the state, so
 * this reads up to the limit of each state.
 */
export const openTasks = (columns: string, where: string, limit: string | number): string => `
  select ${columns} from unnest(enum_range(null::tasker.task_state)) e (state)
   cross join lateral (
     select xmin, t.* from tasker.task t where t.done_at is null and t.state = e.state and ${where}
      order by t.task_uuid limit ${limit}) x
   order by x.task_uuid limit ${limit}`;
