import type { TaskRequest } from '../engine/create-task.ts';
import { messageOf } from '../errors.ts';
import type { Tracing } from '../tracing/tracing.ts';

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
