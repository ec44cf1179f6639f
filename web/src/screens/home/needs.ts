import { useQuery } from '@tanstack/react-query';
import type { CallOptions } from '../../../../src/client/client-options.ts';
import { ApiError, api } from '../../api/client.ts';
import { useLacking } from '../../api/me.tsx';
import { usePolling, usePrecaution } from '../../api/polling.ts';
import { type Method, routeOf } from '../../api/routes.ts';
import { useSummary } from '../../api/summary.ts';
import type { Queue, Status, Summary } from '../../api/types.ts';
import { useLinks, useNamespace } from '../../frame/namespace.ts';
import type { HUES } from '../../parts/state.tsx';
import { mayCover } from '../queues/may-cover.ts';

/** An item that needs a person's attention. */
export interface Need {
  count: number;
  /** Whether there may be more items than the count. */
  more?: boolean;
  /** Whether the text is complete without a count. */
  isOne?: boolean;
  /** The state whose shape and color the item has. */
  state: string;
  hue: keyof typeof HUES;
  text: string;
  to: string;
}

const SLOWLY_MS = 10_000;
const FORBIDDEN = 403;

/** The names of the numbers. */
type Problem = Exclude<keyof Status['attention'], 'at_least'> | 'hung_slots' | 'lost' | 'pauses';

/** The numbers of problems. `atLeast` names the numbers that are lower bounds. */
interface Attention {
  counts: Partial<Record<Problem, number>>;
  atLeast: readonly string[];
}

const NONE: Attention = { counts: {}, atLeast: [] };

/** A part of the numbers that is unknown, because reading it failed or the user lacks the permission. */
export interface Unknown {
  what: string;
  why: string;
}

/** The problems that need a person's attention, and the numbers that are not known. */
export interface Needs {
  needs: Need[];
  unknown: Unknown[];
  loading: boolean;
}

/** A request for a part of the numbers. */
interface Part<Data> {
  what: string;
  /** The permission that the user lacks. */
  missing: string | undefined;
  data: Data | undefined;
  error: Error | null;
}

/**
 * Reads the items that need a person's attention. The status covers all namespaces. For a single namespace, or a
 * credential that may not see all, the numbers come from the lists.
 */
export function useNeeds(): Needs {
  const namespace = useNamespace();
  const lacking = useLacking();
  const status = useQuery({
    queryKey: ['status'],
    queryFn: ({ signal }) => api.installation.status({ signal }),
    enabled: namespace === undefined,
    refetchInterval: usePrecaution(),
  });
  const refused = status.error instanceof ApiError && status.error.status === FORBIDDEN;
  const whole = namespace === undefined && !refused;
  const lists = useLists(!whole);
  const { data: summary, error: noSummary } = useSlowSummary(!whole);
  const parts: Part<Attention>[] = whole
    ? [{ what: 'the status', missing: undefined, data: status.data && ofStatus(status.data), error: status.error }]
    : [
        {
          what: 'the summary of tasks',
          missing: lacking(api.installation.summary),
          data: summary && ofSummary(summary),
          error: noSummary,
        },
        ...lists,
      ];
  const rows = useNeedRows(sumOf(parts.map(({ data = NONE }) => data)));
  const unknown = parts.flatMap(unknownOf);
  // Do not wait for a part that failed.
  const loading = parts.some(({ data, error, missing }) => !data && !error && missing === undefined);
  return { needs: rows, unknown, loading };
}

function unknownOf({ what, missing, error }: Part<unknown>): Unknown[] {
  if (missing !== undefined) return [{ what, why: `needs the permission ${missing}` }];
  return error ? [{ what, why: error.message }] : [];
}

/** Merges the numbers of all parts. Each number comes from one part only. */
function sumOf(parts: readonly Attention[]): Attention {
  return {
    counts: Object.assign({}, ...parts.map(({ counts }) => counts)) as Attention['counts'],
    atLeast: parts.flatMap(({ atLeast }) => atLeast),
  };
}

/** The summary of the chosen namespace. */
export function useSlowSummary(enabled = true) {
  return useSummary({ interval: usePolling(SLOWLY_MS), enabled });
}

function ofStatus({ attention, workers, pauses }: Status): Attention {
  const { no_worker: noWorker, at_least: atLeast, ...counts } = attention;
  return {
    counts: {
      ...counts,
      no_worker: Number(noWorker),
      lost: workers.lost,
      hung_slots: workers.hung_slots,
      pauses: pauses.length,
    },
    atLeast: [...atLeast, ...workers.at_least],
  };
}

/** The problems of the queues that the credential may see. A worker may serve several namespaces. */
function ofQueues(queues: readonly Queue[]): Attention {
  const served = queues.some(({ workers, draining }) => workers.length + draining.length > 0);
  return {
    counts: {
      ...Object.fromEntries(SUMMED.map((key) => [key, queues.reduce((total, queue) => total + queue[key], 0)])),
      no_worker: Number(queues.length > 0 && !served),
      lost: new Set(queues.flatMap(({ lost }) => lost)).size,
    },
    atLeast: queues.flatMap((queue) => queue.at_least.map((name) => (name === 'unserved_steps' ? 'unserved' : name))),
  };
}

const SUMMED = [
  'hung_slots',
  'failing_schedules',
  'approvals',
  'stale',
  'dead_deliveries',
  'late_timers',
  'late_schedules',
] as const satisfies (Problem & keyof Queue)[];

function ofSummary(summary: Summary): Attention {
  return {
    counts: { unserved: summary.unserved.steps },
    atLeast: summary.unserved.timed_out ? ['unserved'] : [],
  };
}

/** Reads the lists that the credential may see. */
function useLists(enabled: boolean): Part<Attention>[] {
  const namespace = useNamespace();
  const queues = usePart(api.workers.queues, { namespace }, enabled);
  const blocked = usePart(api.tasks.list, { ...BLOCKED, namespace, limit: 1 }, enabled);
  const letters = usePart(api.deadLetters.search, { namespace, limit: 1 }, enabled);
  const pauses = usePart(api.installation.pauses, { limit: MOST_PAUSES }, enabled);
  return [
    {
      ...blocked,
      what: 'the tasks',
      data: blocked.data && {
        counts: { blocked: blocked.data.pagination.total_count },
        atLeast: blocked.data.pagination.total_is_exact ? [] : ['blocked'],
      },
    },
    {
      ...queues,
      what: 'the workers, schedules, timers and approvals',
      data: queues.data && ofQueues(queues.data.queues),
    },
    {
      ...letters,
      what: 'the dead letters',
      data: letters.data && {
        counts: { dead_letters: letters.data.total },
        atLeast: letters.data.total_is_exact ? [] : ['dead_letters'],
      },
    },
    {
      ...pauses,
      what: 'the pauses',
      data: pauses.data && {
        counts: { pauses: pauses.data.pauses.filter((pause) => mayCover(pause, namespace)).length },
        atLeast: pauses.data.pauses.length < MOST_PAUSES ? [] : ['pauses'],
      },
    },
  ];
}

const MOST_PAUSES = 1_000;
/** Includes waiting tasks with a failed step. */
const BLOCKED = { state: 'blocked_by_failures,waiting', step_state: 'error' };

/** Reads a list, if the user may call its method. */
function usePart<Query, Data>(
  method: Method & ((query: Query, options: CallOptions) => Promise<Data>),
  query: NoInfer<Query>,
  enabled: boolean,
): Omit<Part<Data>, 'what'> {
  const missing = useLacking()(method);
  const { data, error } = useQuery({
    queryKey: ['needs', routeOf(method), query],
    queryFn: ({ signal }) => method(query, { signal }),
    enabled: enabled && missing === undefined,
    refetchInterval: usePolling(SLOWLY_MS),
  });
  return { missing, data, error };
}

const plural = (count: number, one: string, many: string) => (count === 1 ? one : many);

function useNeedRows({ counts, atLeast }: Attention): Need[] {
  const link = useLinks();
  const { blocked = 0, unserved = 0, stale = 0, dead_letters: letters = 0, approvals = 0, pauses = 0 } = counts;
  const { dead_deliveries: deliveries = 0, late_timers: timers = 0, late_schedules: schedules = 0 } = counts;
  const { no_worker: noWorker = 0, lost = 0, hung_slots: hung = 0, failing_schedules: failing = 0 } = counts;
  const more = (name: Problem) => ({ more: atLeast.includes(name) });
  const bad = { state: 'error', hue: 'red' } as const;
  const slow = { state: 'waiting', hue: 'amber' } as const;
  const needs: Need[] = [
    {
      ...bad,
      count: noWorker,
      isOne: true,
      text: 'No worker is alive, so no step can start',
      to: link('workers'),
    },
    {
      ...bad,
      count: blocked,
      ...more('blocked'),
      text: `${plural(blocked, 'task is', 'tasks are')} blocked by a failed step`,
      to: link('tasks', BLOCKED),
    },
    {
      ...bad,
      count: unserved,
      ...more('unserved'),
      text: `${plural(unserved, 'step has', 'steps have')} no worker that can run ${plural(unserved, 'it', 'them')}`,
      to: link('queues'),
    },
    {
      ...bad,
      count: hung,
      text: `${plural(hung, 'slot is', 'slots are')} held by ${plural(hung, 'a handler', 'handlers')} that did not stop when ${plural(hung, 'its', 'their')} attempt ended`,
      to: link('workers'),
    },
    {
      ...bad,
      count: lost,
      ...more('lost'),
      text: `${plural(lost, 'worker was', 'workers were')} lost in the last hour`,
      to: link('workers'),
    },
    {
      ...bad,
      count: failing,
      ...more('failing_schedules'),
      text: `${plural(failing, 'schedule fails', 'schedules fail')}: ${plural(failing, 'its', 'their')} last task failed, or could not be created`,
      to: link('schedules'),
    },
    {
      ...bad,
      count: letters,
      ...more('dead_letters'),
      text: `${plural(letters, 'dead letter waits', 'dead letters wait')} for an investigation`,
      to: link('dead-letters'),
    },
    {
      ...bad,
      count: deliveries,
      ...more('dead_deliveries'),
      text: `${plural(deliveries, 'event', 'events')} could not be delivered`,
      to: link('events', { view: 'dead' }),
    },
    {
      ...slow,
      count: stale,
      ...more('stale'),
      text: `${plural(stale, 'task exceeds', 'tasks exceed')} a limit of ${plural(stale, 'its', 'their')} lifecycle`,
      to: link('tasks', { stale: 'true' }),
    },
    {
      ...slow,
      count: timers,
      ...more('late_timers'),
      text: `${plural(timers, 'timer is', 'timers are')} late`,
      to: link('tasks', { state: 'waiting' }),
    },
    {
      ...slow,
      count: schedules,
      ...more('late_schedules'),
      text: `${plural(schedules, 'schedule is', 'schedules are')} late`,
      to: link('schedules'),
    },
    {
      count: approvals,
      ...more('approvals'),
      state: 'waiting',
      hue: 'violet',
      text: `${plural(approvals, 'task waits', 'tasks wait')} for a decision`,
      to: link('approvals'),
    },
    {
      ...slow,
      count: pauses,
      ...more('pauses'),
      text: `${plural(pauses, 'pause holds', 'pauses hold')} steps back`,
      to: link('queues'),
    },
  ];
  // A lower bound of 0 does not mean that there is nothing.
  return needs.filter(({ count, more = false }) => count > 0 || more);
}
