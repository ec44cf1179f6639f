import { keepPreviousData, type QueryClient, queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import type { CallOptions } from '../../../../src/client/client-options.ts';
import { api } from '../../api/client.ts';
import { usePrecaution } from '../../api/polling.ts';
import type { Explanation, StepResponse, Task } from '../../api/types.ts';
import { timeOf } from '../../parts/words.ts';
import { type CriticalPath, criticalPathOf } from './graph/critical-path.ts';
import { type Shape, shapeOf } from './graph/shape.ts';
import { hasEnded } from './task-words.ts';

/** The data that the screen of a task shows. */
export interface TaskData {
  task: Task;
  shape: Shape;
  criticalPath: CriticalPath | undefined;
  /** Undefined until the steps are loaded, because they are the largest part. */
  steps: readonly StepResponse[] | undefined;
  why: Explanation | undefined;
  stepsError: Error | null;
}

/** The properties of a view of a task. */
export interface ViewProps {
  data: TaskData;
  selected: string | undefined;
  onSelect(step: string | undefined): void;
}

/** A task that has ended is polled less often. */
export const ENDED_MS = 15_000;
/** The parts of a task do not change between two requests if the task ended at least this long ago. */
const SETTLED_MS = 60_000;

/**
 * Reads a task. Only the task itself is polled, and read again when the stream reports a change. The parts of the task
 * are read again when the task has changed, for example its steps or its pauses.
 */
export function useTask(uuid: string): { data: TaskData | undefined; error: Error | null } {
  const soon = usePrecaution();
  const later = usePrecaution(ENDED_MS);
  const task = useQuery({
    ...taskQuery(uuid),
    refetchInterval: ({ state }) => (state.data && hasEnded(state.data.status) ? later : soon),
  });
  const graph = useTaskPart(graphQuery(uuid));
  // Requesting the rest now would delay the first view.
  const isShown = task.data !== undefined && graph.data !== undefined;
  const why = useTaskPart(
    partQuery(uuid, 'why', (options) => api.tasks.why(uuid, options)),
    isShown,
  );
  const steps = useTaskPart(
    partQuery(uuid, 'steps', (options) => api.steps.list(uuid, options)),
    isShown,
  );
  useRereadParts(uuid, task.data);

  const ended = task.data !== undefined && hasEnded(task.data.status);
  const shape = useMemo(() => graph.data && shapeOf(graph.data, ended), [graph.data, ended]);
  const criticalPath = useMemo(
    () => shape && task.data && criticalPathOf(task.data, shape, graph.dataUpdatedAt),
    [task.data, shape, graph.dataUpdatedAt],
  );
  const error = task.error ?? graph.error;
  if (!task.data || !shape) return { data: undefined, error };
  return {
    data: {
      task: task.data,
      shape,
      criticalPath,
      steps: steps.data,
      why: why.data,
      stepsError: steps.error,
    },
    error,
  };
}

/** Reads a part of a task, and again when the task changes. */
export function useTaskPart<Part>(part: TaskPart<Part>, enabled = true) {
  return useQuery({
    ...part,
    enabled,
    placeholderData: keepPreviousData,
    refetchOnWindowFocus: false,
  });
}

function taskQuery(uuid: string) {
  return queryOptions({
    queryKey: ['task', uuid],
    queryFn: ({ signal }) => api.tasks.get(uuid, { signal }),
  });
}

interface TaskPart<Part> {
  queryKey: readonly string[];
  queryFn(options: CallOptions): Promise<Part>;
  staleTime: number;
}

/** The query for a part of a task. `name` distinguishes it from the other parts. */
export function partQuery<Part>(
  uuid: string,
  name: string,
  read: (options: CallOptions) => Promise<Part>,
): TaskPart<Part> {
  return {
    queryKey: ['task-part', uuid, name],
    queryFn: ({ signal }) => read({ signal }),
    staleTime: Number.POSITIVE_INFINITY,
  };
}

const graphQuery = (uuid: string) => partQuery(uuid, 'graph', (options) => api.tasks.graph(uuid, options));

/** Requests the data for the first view of a task. */
export function prefetchTask(queries: QueryClient, uuid: string): void {
  void queries.prefetchQuery(taskQuery(uuid));
  void queries.prefetchQuery(graphQuery(uuid));
}

function useRereadParts(uuid: string, task: Task | undefined): void {
  const queries = useQueryClient();
  const read = useRef<Task>(undefined);
  const settled = task?.completed_at && Date.now() - timeOf(task.completed_at).getTime() > SETTLED_MS;
  useEffect(() => {
    // A response that equals the previous one is the same object.
    if (task === undefined || read.current === task) return;
    // The parts are requested together with the task, so the first parts may be older than the task.
    const isFirst = read.current === undefined;
    read.current = task;
    if (isFirst && settled) return;
    void queries.invalidateQueries({ queryKey: ['task-part', uuid] });
  }, [queries, uuid, task, settled]);
}
