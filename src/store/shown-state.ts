/**
 * The state of a task `t` as it is shown and searched. The column `state` does not reflect waits. A task that waits for
 * its start is shown as `pending`: none of its steps has begun, so its column is `waiting_for_dependencies`. `offset 0`
 * keeps the lookup of each task by key.
 */
export const shownState = (t: string): string => `
  case when ${t}.state = 'waiting_for_dependencies' and exists (
              select 1 from tasker.wait x where x.task_uuid = ${t}.task_uuid and x.idx = -1 and x.ended_at is null offset 0)
       then 'pending'::tasker.task_state else tasker.shown_state(${t}.state, ${t}.n_wait) end`;
