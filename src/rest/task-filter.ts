import { z } from '@hono/zod-openapi';
import type { TaskFilter } from '../app/tasker-operations.ts';
import type { Caller } from './caller.ts';
import { flag, jsonObject, listed, several, time } from './query.ts';
import { searchedNamespaces } from './scope.ts';

const text = z.string().optional();

/** The conditions of a search, as parameters of a query. They are the options of `tasker task list` in snake_case. */
export const filterQuery = {
  namespace: text,
  name: z.string().optional().openapi({ description: 'The name of the template.' }),
  template_version: z.string().optional().openapi({ description: 'A version, or a range.', example: '>=1.2.0 <2.0.0' }),
  state: listed
    .optional()
    .openapi({ description: 'One state or several, separated by commas.', example: ['error', 'cancelled'] }),
  open: flag.optional().openapi({ description: 'Only tasks that have not ended.' }),
  ended: flag.optional().openapi({ description: 'Only tasks that have ended.' }),
  stale: flag.optional().openapi({ description: 'Only tasks that exceed a limit of their lifecycle.' }),
  tag: several.optional().openapi({ description: 'May be repeated. A task must have all of them.' }),
  initiator: text,
  source: text,
  source_system: z.string().optional().openapi({ description: 'The same as `source`.' }),
  reason: text,
  correlation_id: text,
  parent_correlation_id: text,
  key: z.string().optional().openapi({ description: 'The idempotency key that the task was created with.' }),
  created_after: time.optional(),
  created_before: time.optional(),
  ended_after: time.optional(),
  ended_before: time.optional(),
  updated_after: time.optional(),
  updated_before: time.optional(),
  context: jsonObject.optional().openapi({ description: 'JSON that the context contains. May be slow.' }),
  step: z.string().optional().openapi({ description: 'The name of a step. With the conditions below, that step.' }),
  step_state: text,
  handler: text,
  error_type: text,
  error: z.string().optional().openapi({ description: 'A part of the first line of the error. May be slow.' }),
  worker: z.string().optional().openapi({ description: 'The worker that holds the step, or ran it last.' }),
};

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
