import { OpenAPIHono, z } from '@hono/zod-openapi';
import { jsonRoute } from './route.ts';
import { TemplateDetailSchema, TemplateListSchema, TemplateVerdictSchema } from './schemas.ts';
import type { ServedWorker } from './served-worker.ts';

/** What workers of the described system can do; ours do all of it. */
const CAPABILITIES = ['command_processing', 'database_access', 'message_queues', 'ffi_integration'];
/** What running the steps of any template asks for. */
const REQUIRED = ['command_processing', 'database_access'];

const Name = z.object({ namespace: z.string(), name: z.string(), version: z.string() });
const Filter = z.object({ namespace: z.string().optional() });

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
      const { namespace } = c.req.valid('query');
      const { namespaces } = worker.facts();
      const all = await worker.templates();
      const shown = all.filter((one) => (namespace ? one.namespace === namespace : namespaces.includes(one.namespace)));
      return c.json(
        {
          supported_namespaces: [...namespaces],
          template_count: shown.length,
          templates: shown.map(({ stepCount, ...rest }) => ({ ...rest, step_count: stepCount })),
          worker_capabilities: CAPABILITIES,
        },
        200,
      );
    })
    .openapi(DETAIL, async (c) => {
      const { template, callables, ...name } = await worker.template(c.req.valid('param'));
      const resolved = {
        template,
        environment: worker.facts().environment,
        resolved_at: new Date().toISOString(),
      };
      const about = { ...name, handler_class: callables.join(', ') };
      return c.json({ template: resolved, handler_metadata: about, cached: true }, 200);
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
