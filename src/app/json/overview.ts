import type { SearchPage, TaskFilter } from '../operator-types.ts';
import type { TaskerStatus } from '../overview/status.ts';
import type { StepGroups, TaskSummary } from '../overview/task-summary.ts';
import type { Tasker } from '../tasker.ts';
import { snakeKeys } from './views.ts';

/** The queue of a namespace. */
export type Queue = Awaited<ReturnType<Tasker['queues']>>[number];
/** Statistics of a window of time. */
type Analytics = Awaited<ReturnType<Tasker['analytics']>>;
type Durations = Analytics['tasks']['duration'];

/** Returns the JSON of a page, without its items. */
export function pageJson({ total, totalIsExact, nextCursor, previousCursor, timedOut, lagMs }: SearchPage) {
  return {
    total,
    total_is_exact: totalIsExact,
    next_cursor: nextCursor,
    previous_cursor: previousCursor,
    timed_out: timedOut,
    lag_ms: Math.round(lagMs),
  };
}

/** Returns the status of an installation as JSON. */
export function statusJson(now: TaskerStatus) {
  const { workers, queues, waits, attention, pauses, unserved, unservedHandlers, perMinute, prune, ...rest } = now;
  return {
    ...snakeKeys(rest),
    workers: snakeKeys(workers),
    queues: queues.map((queue) => snakeKeys(queue)),
    waits: waits.map((wait) => snakeKeys(wait)),
    attention: snakeKeys(attention),
    pauses: pauses.map((pause) => snakeKeys(pause)),
    unserved: unserved.map((steps) => snakeKeys(steps)),
    unserved_handlers: unservedHandlers.map((handler) => snakeKeys(handler)),
    per_minute: perMinute,
    prune: prune && snakeKeys(prune),
  };
}

/** Returns a summary of tasks as JSON. The filter of each group has the names of the parameters of `GET /v1/tasks`. */
export function summaryJson(
  { templates, failed, waitingForRetry, unserved, ...rest }: TaskSummary,
  filter: TaskFilter,
) {
  return {
    filter: filterJson(filter),
    templates: templates.map((one) => snakeKeys(one)),
    ...snakeKeys(rest),
    failed: groupsJson(failed),
    waiting_for_retry: groupsJson(waitingForRetry),
    unserved: groupsJson(unserved),
  };
}

/** Returns a filter as JSON. */
function filterJson(filter: TaskFilter): Record<string, unknown> {
  return { ...snakeKeys(filter) };
}

function groupsJson<Group extends { filter: TaskFilter }>({ groups, ...found }: StepGroups<Group>) {
  return {
    ...snakeKeys(found),
    groups: groups.map((group) => ({ ...snakeKeys(group), filter: filterJson(group.filter) })),
  };
}

/** Returns a queue as JSON. */
export function queueJson(queue: Queue) {
  return { ...snakeKeys(queue), unserved: queue.unserved.map((steps) => snakeKeys(steps)) };
}

/** Returns statistics as JSON. */
export function statsJson({ tasks, steps, open, templates, slowSteps, timeline, ...rest }: Analytics) {
  return {
    ...snakeKeys(rest),
    tasks: tasksJson(tasks),
    steps: stepsJson(steps),
    open: open && snakeKeys(open),
    templates: templates.map((one) => ({
      ...snakeKeys(one),
      tasks: tasksJson(one.tasks),
      steps: stepsJson(one.steps),
      open: one.open && snakeKeys(one.open),
    })),
    slow_steps: slowSteps.map(stepsJson),
    timeline: timeline.map((point) => snakeKeys(point)),
  };
}

function tasksJson<Numbers extends { duration: Durations }>(numbers: Numbers) {
  return { ...snakeKeys(numbers), duration: snakeKeys(numbers.duration) };
}

function stepsJson<Numbers extends { duration: Durations; queueing: Durations }>(numbers: Numbers) {
  return { ...tasksJson(numbers), queueing: snakeKeys(numbers.queueing) };
}
