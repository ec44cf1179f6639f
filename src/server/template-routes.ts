import { OpenAPIHono, z } from '@hono/zod-openapi';
import { TemplateDetailSchema, TemplateListSchema, TemplateVerdictSchema } from '../contract/schemas/server.ts';
import type { KeptStats } from '../engine/template-store.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import { templateToJson } from '../template/template-json.ts';
import { jsonRoute } from './route.ts';
import type { ServedWorker } from './served-worker.ts';

/** The capabilities that workers of the original system have. A worker of this package has all of them. */
const CAPABILITIES = ['command_processing', 'database_access', 'message_queues', 'ffi_integration'];
/** The capabilities that every template requires. */
const REQUIRED = ['command_processing', 'database_access'];

const Name = z.object({ namespace: z.string(), name: z.string(), version: z.string() });
const Filter = z.object({
  namespace: z
    .string()
    .optional()
    .openapi({ description: 'Lists the templates of this namespace, even if the worker does not serve it.' }),
  include_cache_stats: z
    .string()
    .optional()
    .openapi({ description: '`true` adds statistics of the template cache.', example: 'true' }),
});

const LIST = {
  ...jsonRoute({
    method: 'get',
    path: '/v1/templates',
    summary: 'the templates registered in the namespaces of this worker',
    answer: TemplateListSchema,
    errors: [403, 408],
  }),
  request: { query: Filter },
};
const DETAIL = {
  ...jsonRoute({
    method: 'get',
    path: '/v1/templates/{namespace}/{name}/{version}',
    summary: 'the template that new tasks of this version use',
    answer: TemplateDetailSchema,
    errors: [403, 404, 408],
  }),
  request: { params: Name },
};
const VALIDATE = {
  ...jsonRoute({
    method: 'post',
    path: '/v1/templates/{namespace}/{name}/{version}/validate',
    summary: 'whether this worker has every handler that the template names',
    answer: TemplateVerdictSchema,
    errors: [403, 404, 408],
  }),
  request: { params: Name },
};

/** Routes for the templates that a worker serves. */
export function templateRoutes(worker: ServedWorker): OpenAPIHono {
  const newest = async ({ namespace, name, version }: z.infer<typeof Name>) =>
    (await worker.engine.templates.newest(namespace, name, version)).template;
  return new OpenAPIHono()
    .openapi(LIST, async (c) => {
      const { namespace, include_cache_stats: wanted = 'false' } = c.req.valid('query');
      const { namespaces } = worker.facts();
      const { templates } = worker.engine;
      const rows = await templates.list();
      const shown = rows.filter((row) =>
        namespace ? row.namespace === namespace : namespaces.includes(row.namespace),
      );
      const withCache = ['true', '1', ''].includes(wanted.toLowerCase());
      return c.json(
        {
          supported_namespaces: [...namespaces],
          template_count: shown.length,
          templates: shown.map(({ namespace, name, version, description, steps }) => ({
            namespace,
            name,
            version,
            description,
            step_count: steps,
          })),
          ...(withCache && { cache_stats: { ...cacheJson(templates.kept), supported_namespaces: [...namespaces] } }),
          worker_capabilities: CAPABILITIES,
        },
        200,
      );
    })
    .openapi(DETAIL, async (c) => {
      const name = c.req.valid('param');
      const template = await newest(name);
      const row = (await worker.engine.templates.list()).find(
        (one) => one.namespace === name.namespace && one.name === name.name && one.version === name.version,
      );
      const { ageSeconds = 0, uses = 1 } = worker.engine.templates.keptOf(name) ?? {};
      const resolved = {
        template: templateToJson(template),
        environment: worker.facts().environment,
        resolved_at: new Date().toISOString(),
      };
      // Undefined only if the template was removed in the meantime.
      const registered = { registered_at: row?.registeredAt ?? resolved.resolved_at };
      const about = { ...name, handler_class: callablesOf(template).join(', '), ...registered };
      const copy = { cached: true, cache_age_seconds: ageSeconds, access_count: uses };
      return c.json({ template: resolved, handler_metadata: about, ...copy }, 200);
    })
    .openapi(VALIDATE, async (c) => {
      const template = await newest(c.req.valid('param'));
      const errors = await worker.handlerProblems(template);
      return c.json(
        {
          valid: errors.length === 0,
          errors,
          required_capabilities: REQUIRED,
          step_handlers: callablesOf(template),
        },
        200,
      );
    });
}

function callablesOf(template: TaskTemplate): string[] {
  return [...new Set(template.steps.map(({ handler }) => handler.callable))];
}

function cacheJson(stats: KeptStats) {
  return {
    total_cached: stats.cached,
    cache_hits: stats.hits,
    cache_misses: stats.misses,
    cache_evictions: stats.evictions,
    oldest_entry_age_seconds: stats.oldestAgeSeconds,
    average_access_count: stats.averageUses,
  };
}
