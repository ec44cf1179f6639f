import type { CreatedTask, TaskRequest } from '../engine/create-task.ts';
import { messageOf } from '../errors.ts';
import type { Tracing } from '../tracing/tracing.ts';

/** What {@link Tasker.createTask} answers. */
export interface TaskHandle {
  taskUuid: string;
  name: string;
  namespace: string;
  version: string;
  priority: number;
  totalSteps: number;
  /** False: an earlier task with the same identity stands for it (`onDuplicate: 'return'`). */
  created: boolean;
}

/** A created task as callers see it. */
export function handleOf({ taskUuid, snapshot, priority, created }: CreatedTask): TaskHandle {
  const { name, namespace, version } = snapshot.template;
  return { taskUuid, name, namespace, version, priority, totalSteps: snapshot.graph.names.length, created };
}

/**
 * Creates tasks within a span for each, and gives each task its span to go on from: steps that other processes run are
 * children of it. A request that brings a `traceparent` of its own keeps it, and has no span here.
 */
export async function withSpans<Created extends { taskUuid: string }>(
  tracing: Tracing,
  requests: readonly TaskRequest[],
  create: (requests: readonly TaskRequest[]) => Promise<Created[]>,
): Promise<Created[]> {
  const spans = requests.map((request) => {
    if (request.traceparent !== undefined) return undefined;
    const { namespace = 'default', name, version = '1.0.0' } = request;
    const template = `${namespace}/${name}@${version}`;
    return tracing.start(`task ${namespace}/${name}`, {
      kind: 'PRODUCER',
      attributes: { 'tasker.template': template },
    });
  });
  try {
    const created = await create(
      requests.map((request, i) => (spans[i] ? { ...request, traceparent: tracing.traceparentOf(spans[i]) } : request)),
    );
    created.forEach(({ taskUuid }, i) => {
      if (spans[i]) tracing.end(spans[i], { attributes: { 'tasker.task_uuid': taskUuid } });
    });
    return created;
  } catch (error) {
    for (const span of spans) if (span) tracing.end(span, { error: { message: messageOf(error) } });
    throw error;
  }
}
