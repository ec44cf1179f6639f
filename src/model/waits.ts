import type { Fields } from './json.ts';

/**
 * The kinds of waits of a step: for a time, a signal, the votes of people, the end of a child task (`task`) or of several
 * (`tasks`), a completion from outside, or its next call. `start` is the wait of a task that begins later.
 */
export const WAIT_KINDS = ['start', 'timer', 'signal', 'approval', 'task', 'tasks', 'completion', 'call'] as const;
export type WaitKind = (typeof WAIT_KINDS)[number];

/** The built-in handlers of step types that need no user handler, by type. Every worker has them. */
export const WAIT_CALLABLES = {
  timer: 'tasker.timer',
  signal: 'tasker.signal',
  approval: 'tasker.approval',
  task: 'tasker.task',
  fail: 'tasker.fail',
  for_each: 'tasker.for_each',
} as const;

/** The field of a template file with the settings of each of these types. */
export const WAIT_FIELDS: Readonly<Record<keyof typeof WAIT_CALLABLES, string>> = {
  timer: 'timer',
  signal: 'signal',
  approval: 'approval',
  task: 'template',
  fail: 'message',
  for_each: 'elements',
};

/** Returns whether steps of this type wait or end their task, and so need no user handler. */
export function waitsByType(type: string): type is keyof typeof WAIT_CALLABLES {
  return Object.hasOwn(WAIT_CALLABLES, type);
}

const CALLABLES: ReadonlySet<string> = new Set(Object.values(WAIT_CALLABLES));

/** Returns whether this is the name of a handler that every worker has. */
export function isWaitCallable(callable: string): boolean {
  return CALLABLES.has(callable);
}

/** The reasons why a wait ended. `elapsed`: its time came. `timeout`: it reached its limit. */
export const WAIT_ENDS = [
  'elapsed',
  'timeout',
  'signal',
  'vote',
  'child',
  'token',
  'operator',
  'cancel',
  'retry',
] as const;
export type WaitEnd = (typeof WAIT_ENDS)[number];

/** The step index of the wait of a task that begins later. */
export const START_IDX = -1;

/** The wait that an attempt begins instead of ending with a result. */
export interface WaitRequest {
  kind: Exclude<WaitKind, 'start'>;
  /** The latest time at which it ends, in milliseconds since 1970. If undefined, `forMs` applies. */
  untilMs?: number | undefined;
  /** Milliseconds from now, by the clock of the database. Undefined, and no `untilMs`: the wait has no end. */
  forMs?: number | undefined;
  /** Milliseconds until the engine must act before the end, for a reminder. Undefined means only at the end. */
  dueMs?: number | undefined;
  /** The settings that the kind needs later, such as names and schemas. Stored as JSON. */
  settings: Fields;
}

/** A wait, as the engine reads it. Times are ISO 8601. */
export interface Wait {
  taskUuid: string;
  idx: number;
  kind: WaitKind;
  /** The step's number of starts when the wait began. */
  attempt: number;
  templateId: number;
  rank: number;
  since: string;
  until: string | null;
  dueAt: string | null;
  /** Of `call`: how often the handler has asked to be called again. */
  calls: number;
  settings: Fields;
  /** The progress so far: votes, reminders. */
  progress: Fields;
  endedAt: string | null;
  endedBy: WaitEnd | null;
}
