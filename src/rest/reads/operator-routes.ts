import { OpenAPIHono } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Pause } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { deadLetters } from '../../contract/dead-letters.ts';
import { installation } from '../../contract/installation.ts';
import { tasks } from '../../contract/tasks.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible, maySee } from '../scope.ts';

const PAUSES = describeRoute(installation.pauses);
const RUNS = describeRoute(tasks.runs);
const ENTRIES = describeRoute(deadLetters.search);
const ENTRY = describeRoute(deadLetters.get);

/** Routes for pauses, dead letters and replaced runs, in the form of the command line. */
export function operatorReadRoutes(tasker: Tasker): OpenAPIHono {
  const { deadLetters } = tasker;
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(PAUSES, async (c) => {
      const { namespaces } = callerOf(c);
      const all = await tasker.pauses({ limit: c.req.valid('query').limit });
      const seen = namespaces ? all.filter((pause) => maySee(callerOf(c), namespaceOf(pause))) : all;
      return c.json({ pauses: seen.map((pause) => snakeKeys(pause)) }, 200);
    })
    .openapi(RUNS, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      const [runs, copies] = await Promise.all([tasker.getEarlierRuns(uuid), tasker.getCopies(uuid)]);
      const readable = callerOf(c).allows('tasks:context_read');
      const shown = runs.map((run) => snakeKeys(readable ? run : { ...run, result: null }));
      return c.json({ earlier_runs: shown, copies }, 200);
    })
    .openapi(ENTRIES, async (c) => {
      const { template_version, dlq_reason, added_after, added_before, sort, limit, cursor, ...given } =
        c.req.valid('query');
      const named = {
        templateVersion: template_version,
        dlqReason: dlq_reason,
        addedAfter: added_after,
        addedBefore: added_before,
        namespaces: callerOf(c).namespaces,
      };
      const filter = Object.entries({ ...given, ...named }).filter(([, value]) => value !== undefined);
      const page = await deadLetters.list(Object.fromEntries(filter), { sort, limit, cursor });
      const { entries, total, totalIsExact, nextCursor } = page;
      const facts = { total, total_is_exact: totalIsExact, next_cursor: nextCursor };
      return c.json({ entries: entries.map((entry) => snakeKeys(entry)), ...facts } as never, 200);
    })
    .openapi(ENTRY, async (c) =>
      c.json(snakeKeys(await deadLetters.get(c.req.valid('param').dlq_entry_uuid)) as never, 200),
    );
}

/** A pause of a task does not name the task's namespace. */
function namespaceOf({ scope, target }: Pause): string | undefined {
  return scope === 'task' ? undefined : target.split('/')[0];
}
