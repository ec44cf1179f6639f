import { OpenAPIHono, z } from '@hono/zod-openapi';
import { stringify } from 'yaml';
import { templateGraph } from '../../app/json/graph.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { mermaidOf } from '../../template/mermaid.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { templateChanges } from '../../template/template-changes.ts';
import { templateToJson } from '../../template/template-json.ts';
import { type Caller, callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { maySee } from '../scope.ts';
import { FORMAT, MERMAID, wantsMermaid } from './mermaid-answer.ts';

const YAML = 'application/yaml';

const Params = z.object({ namespace: z.string(), name: z.string(), version: z.string() });
const named = { namespace: z.string(), name: z.string(), version: z.string() };

const SOURCE = describeRoute({
  method: 'get',
  path: '/v1/templates/{namespace}/{name}/{version}/source',
  permission: 'templates:read',
  summary: 'Returns a template as YAML',
  description:
    'As it was registered, with the overrides of the environment applied. Comments and the order of keys are not stored. As JSON with `?format=json` or `Accept: application/json`.',
  request: { params: Params, query: z.object({ format: z.enum(['yaml', 'json']).optional() }) },
  answer: z
    .object({ ...named, digest: z.string(), template: z.record(z.string(), z.unknown()) })
    .openapi('TemplateSource'),
  otherForms: { [YAML]: 'The template, in the form of a template file.' },
  errors: [404],
  etag: true,
});
const GRAPH = describeRoute({
  method: 'get',
  path: '/v1/templates/{namespace}/{name}/{version}/graph',
  permission: 'templates:read',
  summary: 'Returns the steps of a template and their dependencies',
  description: 'As a Mermaid flowchart with `?format=mermaid` or `Accept: text/vnd.mermaid`.',
  request: { params: Params, query: FORMAT },
  answer: z
    .object({
      ...named,
      nodes: z.array(z.object({ name: z.string(), type: z.string(), callable: z.string() })),
      edges: z.array(z.object({ from: z.string(), to: z.string() })),
    })
    .openapi('TemplateGraph'),
  otherForms: { [MERMAID]: 'A Mermaid flowchart.' },
  errors: [404],
  etag: true,
});
const DIFF = describeRoute({
  method: 'get',
  path: '/v1/templates/{namespace}/{name}/{version}/diff',
  permission: 'templates:read',
  summary: 'Returns the changes from an earlier version of a template',
  request: {
    params: Params,
    query: z.object({ with: z.string().min(1).openapi({ description: 'The earlier version.', example: '1.0.0' }) }),
  },
  answer: z
    .object({
      namespace: z.string(),
      name: z.string(),
      from_version: z.string(),
      to_version: z.string(),
      changes: z.array(
        z.object({
          path: z
            .string()
            .openapi({ description: 'Steps are found by their names.', example: 'steps.charge.retry.max_attempts' }),
          change: z.enum(['added', 'removed', 'changed']),
          from: z.unknown(),
          to: z.unknown(),
        }),
      ),
    })
    .openapi('TemplateDiff'),
  errors: [404],
  etag: true,
});

/** Routes for the contents of templates: their source, their graph, and the differences between versions. */
export function templateReadRoutes(tasker: Tasker): OpenAPIHono {
  const find = async ({ namespace, name, version }: z.infer<typeof Params>, caller: Caller) => {
    if (maySee(caller, namespace)) return tasker.engine.templates.newest(namespace, name, version);
    throw new TaskerError('template_not_found', `template ${namespace}/${name}@${version} not found`);
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(SOURCE, async (c) => {
      const params = c.req.valid('param');
      const { format } = c.req.valid('query');
      const { template, digest } = await find(params, callerOf(c));
      c.header('vary', 'Accept', { append: true });
      const asJson = format === undefined ? /application\/json/.test(c.req.header('accept') ?? '') : format === 'json';
      if (asJson) return c.json({ ...params, digest, template: templateToJson(template) }, 200);
      return c.body(stringify(templateToJson(template)), 200, { 'content-type': `${YAML}; charset=utf-8` }) as never;
    })
    .openapi(GRAPH, async (c) => {
      const params = c.req.valid('param');
      const { template } = await find(params, callerOf(c));
      c.header('vary', 'Accept', { append: true });
      if (wantsMermaid(c, c.req.valid('query').format)) {
        return c.body(mermaidOf(template), 200, { 'content-type': `${MERMAID}; charset=utf-8` }) as never;
      }
      const { nodes, edges } = templateGraph(template);
      return c.json({ ...params, nodes, edges }, 200);
    })
    .openapi(DIFF, async (c) => {
      const { namespace, name, version } = c.req.valid('param');
      const { with: other } = c.req.valid('query');
      const caller = callerOf(c);
      const [from, to] = await Promise.all([
        find({ namespace, name, version: other }, caller),
        find({ namespace, name, version }, caller),
      ]);
      const changes = templateChanges(comparable(from.template), comparable(to.template));
      return c.json({ namespace, name, from_version: other, to_version: version, changes }, 200);
    });
}

/** Omits the version, which always differs. */
function comparable(template: TaskTemplate): Record<string, unknown> {
  const { version: _, ...rest } = templateToJson(template);
  return rest;
}
