import { OpenAPIHono, z } from '@hono/zod-openapi';
import { jsonRoute } from './route.ts';
import { TemplateDetailSchema, TemplateListSchema, TemplateVerdictSchema } from './schemas.ts';
import type { ServedWorker, TemplateCacheStats, TemplateDetail } from './served-worker.ts';

/** What workers of the described system can do; ours do all of it. */
const CAPABILITIES = ['command_processing', 'database_access', 'message_queues', 'ffi_integration'];
/** What running the steps of any template asks for. */
const REQUIRED = ['command_processing', 'database_access'];

const Name = z.object({ namespace: z.string(), name: z.string(), version: z.string() });
const Filter = z.object({
  namespace: z
    .string()
    .optional()
    .openapi({ description: 'Only its templates, also if the worker does not serve it.' }),
  include_cache_stats: z
    .string()
    .optional()
    .openapi({ description: '`true`: also what is kept in memory.', example: 'true' }),
});

const LIST = {
  ...jsonRoute({
    method: 'get',
    path: '/v1/templates',
    summary: 'the templates that are registered in the namespaces of this worker',
    answer: TemplateListSchema,
    errors: [403, 408],
  }),
  request: { query: Filter },
};
const DETAIL = {
  ...jsonRoute({
    method: 'get',
    path: '/v1/templates/{namespace}/{name}/{version}',
    summary: 'a template as new tasks get it',
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

/** The templates that a worker serves. */
export function templateRoutes(worker: ServedWorker): OpenAPIHono {
  return new OpenAPIHono()
    .openapi(LIST, async (c) => {
      const { namespace, include_cache_stats: wanted = 'false' } = c.req.valid('query');
      const { namespaces } = worker.facts();
      const all = await worker.templates();
      const shown = all.filter((one) => (namespace ? one.namespace === namespace : namespaces.includes(one.namespace)));
      return c.json(
        {
          supported_namespaces: [...namespaces],
          template_count: shown.length,
          templates: shown.map(({ stepCount, ...rest }) => ({ ...rest, step_count: stepCount })),
          ...(['true', '1', ''].includes(wanted.toLowerCase()) && { cache_stats: cacheJson(worker.templateCache()) }),
          worker_capabilities: CAPABILITIES,
        },
        200,
      );
    })
    .openapi(DETAIL, async (c) => {
      const { template, callables, cached, ...name } = await worker.template(c.req.valid('param'));
      const resolved = {
        template,
        environment: worker.facts().environment,
        resolved_at: new Date().toISOString(),
      };
      const about = { ...name, handler_class: callables.join(', ') };
      return c.json({ template: resolved, handler_metadata: about, ...copyJson(cached) }, 200);
    })
    .openapi(VALIDATE, async (c) => {
      const { errors, callables } = await worker.validate(c.req.valid('param'));
      return c.json(
        {
          valid: errors.length === 0,
          errors: [...errors],
          required_capabilities: REQUIRED,
          step_handlers: [...callables],
        },
        200,
      );
    });
}

function cacheJson(stats: TemplateCacheStats) {
  return {
    total_cached: stats.cached,
    cache_hits: stats.hits,
    cache_misses: stats.misses,
    cache_evictions: stats.evictions,
    oldest_entry_age_seconds: stats.oldestAgeSeconds,
    average_access_count: stats.averageUses,
    supported_namespaces: [...stats.namespaces],
  };
}

function copyJson({ ageSeconds, uses }: TemplateDetail['cached']) {
  return { cached: true, cache_age_seconds: ageSeconds, access_count: uses };
}
