import { OpenAPIHono, type z } from '@hono/zod-openapi';
import { workerProcess } from '../contract/process.ts';
import type { KeptStats } from '../engine/template-store.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import { templateToJson } from '../template/template-json.ts';
import { withUndoSteps } from '../template/undo-steps.ts';
import { jsonRoute } from './route.ts';
import type { ServedWorker } from './served-worker.ts';

/** The capabilities that workers of the original system have. A worker of this package has all of them. */
const CAPABILITIES = ['command_processing', 'database_access', 'message_queues', 'ffi_integration'];
/** The capabilities that every template requires. */
const REQUIRED = ['command_processing', 'database_access'];

const { templates: list, template: detail, validateTemplate: validate } = workerProcess;
const LIST = { ...jsonRoute(list), request: { query: list.takes.query } };
const DETAIL = { ...jsonRoute(detail), request: { params: detail.takes.path } };
const VALIDATE = { ...jsonRoute(validate), request: { params: validate.takes.path } };

/** Routes for the templates that a worker serves. */
export function templateRoutes(worker: ServedWorker): OpenAPIHono {
  const newest = async ({ namespace, name, version }: z.infer<typeof detail.takes.path>) =>
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
  return [...new Set(withUndoSteps(template.steps).map(({ handler }) => handler.callable))];
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
