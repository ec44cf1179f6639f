import { OpenAPIHono, type z } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Pause } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import type { VersionPath } from '../../contract/schemas/paths.ts';
import { templates } from '../../contract/templates.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { maySee } from '../scope.ts';

const LIST = describeRoute(templates.list);
const DETAIL = describeRoute(templates.get);

/** Returns the pauses that apply to a template version: its own, the template's and the namespace's. */
function pausesOf({ namespace, name, version }: z.infer<typeof VersionPath>, pauses: readonly Pause[]) {
  const template = `${namespace}/${name}`;
  const held = pauses.filter(
    ({ scope, target }) => scope !== 'task' && [namespace, template, `${template}@${version}`].includes(target),
  );
  return held.length > 0 ? held.map((pause) => snakeKeys(pause)) : null;
}

/** Routes for templates. */
export function templateRoutes(tasker: Tasker): OpenAPIHono {
  const { templates } = tasker.engine;
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(LIST, async (c) => {
      const { namespace } = c.req.valid('query');
      const caller = callerOf(c);
      const [all, pauses] = await Promise.all([templates.list(), tasker.pauses()]);
      const rows = all.filter(
        (row) => (namespace === undefined || row.namespace === namespace) && maySee(caller, row.namespace),
      );
      const counted = new Map<string, number>();
      for (const row of rows) counted.set(row.namespace, (counted.get(row.namespace) ?? 0) + 1);
      return c.json(
        {
          namespaces: [...counted].map(([name, count]) => ({ name, description: null, template_count: count })),
          templates: rows.map((row) => ({
            name: row.name,
            namespace: row.namespace,
            version: row.version,
            description: row.description,
            step_count: row.steps,
            active: row.active,
            pinned: row.pinned,
            digest: row.digest,
            registered_at: row.registeredAt,
            paused: pausesOf(row, pauses),
          })),
          total_count: rows.length,
        },
        200,
      );
    })
    .openapi(DETAIL, async (c) => {
      const { namespace, name, version } = c.req.valid('param');
      const { template } = await templates.newest(namespace, name, version);
      return c.json(
        {
          name,
          namespace,
          version,
          description: template.description,
          configuration: null,
          steps: template.steps.map((step) => ({
            name: step.name,
            description: step.description,
            default_retryable: step.retry.retryable,
            default_max_attempts: step.retry.maxAttempts,
            result_schema: step.resultSchema,
          })),
        },
        200,
      );
    });
}
