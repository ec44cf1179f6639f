import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Tasker } from '../app/tasker.ts';
import { refuseInvalid } from './refuse-invalid.ts';
import { describeRoute } from './route.ts';
import { TemplateDetailSchema, TemplateListSchema } from './schemas/template-schemas.ts';

const LIST = describeRoute({
  method: 'get',
  path: '/v1/templates',
  permission: 'templates:read',
  summary: 'Lists the registered templates',
  request: { query: z.object({ namespace: z.string().optional() }) },
  answer: TemplateListSchema,
});
const DETAIL = describeRoute({
  method: 'get',
  path: '/v1/templates/{namespace}/{name}/{version}',
  permission: 'templates:read',
  summary: 'Returns the template that new tasks of this version use',
  request: { params: z.object({ namespace: z.string(), name: z.string(), version: z.string() }) },
  answer: TemplateDetailSchema,
  errors: [404],
});

/** Routes for templates. */
export function templateRoutes(tasker: Tasker): OpenAPIHono {
  const { templates } = tasker.engine;
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(LIST, async (c) => {
      const { namespace } = c.req.valid('query');
      const rows = (await templates.list()).filter((row) => namespace === undefined || row.namespace === namespace);
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
