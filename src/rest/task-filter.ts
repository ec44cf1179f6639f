import type { z } from '@hono/zod-openapi';
import type { TaskFilter } from '../app/operator-types.ts';
import { NAMED_TASK_CONDITIONS } from '../contract/filters/tasks.ts';
import type { filterQuery } from '../contract/schemas/task-filter.ts';
import type { Caller } from './caller.ts';
import { searchedNamespaces } from './scope.ts';

type FilterQuery = z.infer<z.ZodObject<typeof filterQuery>>;

/** Returns the filter of a query, with only the conditions that were given, in the namespaces that the caller may see. */
export function filterOf(query: FilterQuery, caller: Caller): TaskFilter {
  const namespace = searchedNamespaces(caller, query.namespace);
  const filter: Record<string, unknown> = namespace === undefined ? {} : { namespace };
  for (const { parameter, name } of NAMED_TASK_CONDITIONS) {
    const value = query[parameter as keyof FilterQuery];
    // A flag that is off is not a condition. Of two names of a condition, the first one applies.
    if (value !== undefined && value !== false) filter[name] ??= value;
  }
  return filter;
}
