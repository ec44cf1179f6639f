import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { ask, pathOf } from '../../api/client.ts';
import { usePrecaution } from '../../api/polling.ts';
import { type Routes, useRoutes } from '../../api/routes.ts';
import type { Explanation, HistoryEntry, StepDetail, Task, TaskGraph, TaskSummary } from '../../api/types.ts';
import { type Topology, topologyOf } from './edges.ts';
import { hasEnded } from './task-words.ts';

/** Everything that the screen of a task shows. */
export interface TaskData {
  task: Task;
  steps: readonly StepDetail[];
  topology: Topology;
  /** The handler of each step, by its name. */
  handlers: ReadonlyMap<string, string>;
  why: Explanation | undefined;
  history: readonly HistoryEntry[] | undefined;
  routes: Routes | undefined;
}

/** A task that has ended is asked for less often. */
const ENDED_MS = 15_000;

/** Reads a task. Only the task itself is polled; the rest is read again when a step changes. */
export function useTask(uuid: string): { data: TaskData | undefined; error: Error | null } {
  const routes = useRoutes();
  const soon = usePrecaution();
  const later = usePrecaution(ENDED_MS);
  const base = pathOf`v1/tasks/${uuid}`;
  const task = useQuery({
    queryKey: ['task', uuid],
    queryFn: ({ signal }) => ask<Task>(base, { signal }),
    refetchInterval: ({ state }) => (state.data && hasEnded(state.data.status) ? later : soon),
  });
  const version = task.data && versionOf(task.data);
  const part = <Answer>(path: string, route: string) => ({
    queryKey: ['task', uuid, path, version],
    queryFn: ({ signal }: { signal: AbortSignal }) => ask<Answer>(`${base}/${path}`, { signal }),
    enabled: version !== undefined && (routes?.has(`GET /v1/tasks/{uuid}/${route}`) ?? false),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const steps = useQuery(part<StepDetail[]>('workflow_steps', 'workflow_steps'));
  const hasGraph = routes?.has('GET /v1/tasks/{uuid}/graph') ?? false;
  const graph = useQuery(part<TaskGraph>('graph', 'graph'));
  const summary = useQuery({
    ...part<TaskSummary>('summary', 'summary'),
    enabled: version !== undefined && routes !== undefined && !hasGraph,
  });
  const why = useQuery(part<Explanation>('why', 'why'));
  const history = useQuery(part<{ entries: HistoryEntry[] }>('history?limit=1000', 'history'));
  const error = task.error ?? steps.error;
  if (!task.data || !steps.data) return { data: undefined, error };
  const topology = topologyOf(steps.data, graph.data, summary.data);
  const handlers = new Map(
    (graph.data?.nodes ?? summary.data?.template.steps ?? []).map(({ name, handler }) => [name, handler]),
  );
  return {
    data: {
      task: task.data,
      steps: steps.data,
      topology,
      handlers,
      why: why.data,
      history: history.data?.entries,
      routes,
    },
    error,
  };
}

/** Changes whenever a step changes. */
function versionOf(task: Task): string {
  const steps = task.steps.map((step) => `${step.current_state} ${step.attempts} ${step.last_attempted_at ?? ''}`);
  return [task.status, task.updated_at, ...steps].join();
}
