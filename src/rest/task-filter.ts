import type { z } from '@hono/zod-openapi';
import type { TaskFilter } from '../app/operator-types.ts';
import type { filterQuery } from '../contract/schemas/task-filter.ts';
import type { Caller } from './caller.ts';
import { searchedNamespaces } from './scope.ts';

type FilterQuery = z.infer<z.ZodObject<typeof filterQuery>>;

/** Returns the filter of a query, with only the conditions that were given, in the namespaces that the caller may see. */
export function filterOf(query: FilterQuery, caller: Caller): TaskFilter {
  const { source, source_system } = query;
  const all: TaskFilter = {
    namespace: searchedNamespaces(caller, query.namespace),
    name: query.name,
    templateVersion: query.template_version,
    status: query.state,
    open: query.open || undefined,
    ended: query.ended || undefined,
    stale: query.stale || undefined,
    tag: query.tag,
    initiator: query.initiator,
    source: source ?? source_system,
    reason: query.reason,
    correlationId: query.correlation_id,
    parentCorrelationId: query.parent_correlation_id,
    key: query.key,
    createdAfter: query.created_after,
    createdBefore: query.created_before,
    endedAfter: query.ended_after,
    endedBefore: query.ended_before,
    updatedAfter: query.updated_after,
    updatedBefore: query.updated_before,
    context: query.context,
    step: query.step,
    stepState: query.step_state,
    handler: query.handler,
    errorType: query.error_type,
    error: query.error,
    worker: query.worker,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
