import { OpenAPIHono, type z } from '@hono/zod-openapi';
import { stringify } from 'yaml';
import { templateGraph } from '../../app/json/graph.ts';
import type { Tasker } from '../../app/tasker.ts';
import { MERMAID } from '../../contract/schemas/mermaid.ts';
import type { VersionPath } from '../../contract/schemas/paths.ts';
import type { TemplateContentSchema } from '../../contract/schemas/templates.ts';
import { templates, YAML } from '../../contract/templates.ts';
import { TaskerError } from '../../errors.ts';
import { mermaidOf } from '../../template/mermaid.ts';
import { templateToJson } from '../../template/template-json.ts';
import { type Caller, callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { maySee } from '../scope.ts';
import { wantsMermaid } from './mermaid-answer.ts';

const SOURCE = describeRoute(templates.source);
const GRAPH = describeRoute(templates.graph);

/** Routes for the contents of templates, which have other forms besides JSON: their source and their graph. */
export function templateContentRoutes(tasker: Tasker): OpenAPIHono {
  const find = async ({ namespace, name, version }: z.infer<typeof VersionPath>, caller: Caller) => {
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
      const content = templateToJson(template) as z.infer<typeof TemplateContentSchema>;
      if (asJson) return c.json({ ...params, digest, template: content }, 200);
      return c.body(stringify(content), 200, { 'content-type': `${YAML}; charset=utf-8` }) as never;
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
    });
}
