import type { GraphNode, StepState, Task } from '../../../api/types.ts';
import { timeOf } from '../../../parts/words.ts';
import { hasEnded } from '../task-words.ts';
import { edgeKey, type Group, parentsOf, type Shape } from './shape.ts';

/** A step of the path. */
export interface PathStep {
  name: string;
  /** Milliseconds from the end of the previous step to its own end. */
  ms: number;
  /** The part of it in which the step ran: its last attempt, or the workers of its batch. */
  ranMs: number;
  /** Whether earlier attempts are in the rest. */
  hasEarlier: boolean;
}

/** The chain of steps that determined how long the task took, or has taken so far. */
export interface CriticalPath {
  steps: readonly PathStep[];
  ms: number;
  /** Keys of its edges. */
  edges: ReadonlySet<string>;
  /** Whether its last step has not ended. */
  isOpen: boolean;
}

const UNFINISHED: ReadonlySet<string> = new Set<StepState>(['in_progress', 'enqueued', 'waiting', 'waiting_for_retry']);

/** Returns the critical path of a task. Undefined if fewer than two steps are on it. `now`: milliseconds since 1970. */
export function criticalPathOf(task: Task, { groups, edges, byName }: Shape, now: number): CriticalPath | undefined {
  const start = Math.max(timeOf(task.created_at).getTime(), task.starts_at ? timeOf(task.starts_at).getTime() : 0);
  const parents = parentsOf(edges);
  const ends = new Map(groups.map((group) => [group.name, endOf(group)]));
  const lastParent = (name: string) =>
    (parents.get(name) ?? [])
      .filter((parent) => ends.get(parent) !== undefined)
      .reduce<string | undefined>(
        (last, parent) => (last !== undefined && ends.get(last)! >= ends.get(parent)! ? last : parent),
        undefined,
      );
  const readyAt = (name: string) => {
    const parent = lastParent(name);
    return parent === undefined ? start : ends.get(parent)!;
  };
  // The steps of elements are a part of the step that has their list.
  const own = groups.filter(({ elementOf }) => elementOf === null);
  const isOpen = ({ state, elements }: Group) =>
    UNFINISHED.has(state ?? '') || (state === 'pending' && elements !== null);
  const open = hasEnded(task.status) ? [] : own.filter(isOpen);
  const oldest = open.toSorted((one, other) => readyAt(one.name) - readyAt(other.name))[0];
  // Only failed steps block a blocked task.
  const failed = task.status === 'blocked_by_failures' ? own.filter(({ state }) => state === 'error') : [];
  const last =
    oldest ??
    (failed.length > 0 ? failed : own).toSorted(
      (one, other) => (ends.get(other.name) ?? 0) - (ends.get(one.name) ?? 0),
    )[0];
  if (!last || (!oldest && ends.get(last.name) === undefined)) return undefined;

  const names: string[] = [];
  for (let at: string | undefined = last.name; at !== undefined; at = lastParent(at)) names.unshift(at);
  if (names.length < 2) return undefined;
  const endAt = (name: string) => ends.get(name) ?? now;
  const steps = names.map((name): PathStep => {
    const ofElements = groups.flatMap(({ elementOf, steps }) =>
      elementOf === name ? steps.filter((one) => one.started_at) : [],
    );
    const ran = ofElements.length > 0 ? ofElements : (byName.get(name)?.steps ?? []);
    const ms = Math.max(0, endAt(name) - readyAt(name));
    return { name, ms, ranMs: Math.min(ms, ranOf(ran, now)), hasEarlier: ran.some(({ attempts }) => attempts > 1) };
  });
  return {
    steps: steps.filter(({ name }) => byName.has(name)),
    ms: Math.max(0, endAt(last.name) - start),
    edges: new Set(names.slice(1).map((to, at) => edgeKey({ from: names[at]!, to }))),
    isOpen: oldest !== undefined,
  };
}

/** Returns how long a step, or one or more workers of a batch, ran. */
function ranOf(steps: readonly GraphNode[], now: number): number {
  const [only] = steps;
  if (!only) return 0;
  const begin = ({ started_at: at }: GraphNode) => (at ? timeOf(at).getTime() : now);
  if (steps.length > 1) return Math.max(...steps.map((step) => endOfStep(step) ?? now)) - Math.min(...steps.map(begin));
  return only.duration_ms ?? (only.state === 'in_progress' ? now - begin(only) : 0);
}

/** When the last step of a group ended. Undefined if one of them has not ended. */
function endOf({ steps }: Group): number | undefined {
  const ends = steps.map(endOfStep);
  return ends.length === 0 || ends.includes(undefined) ? undefined : Math.max(...(ends as number[]));
}

function endOfStep({ state, started_at: start, completed_at: end, duration_ms: ms }: GraphNode): number | undefined {
  if (UNFINISHED.has(state ?? '')) return undefined;
  if (end) return timeOf(end).getTime();
  return state === 'error' && start ? timeOf(start).getTime() + (ms ?? 0) : undefined;
}
