import { OpenAPIHono } from '@hono/zod-openapi';
import { statsJson, statusJson, summaryJson } from '../../app/json/overview.ts';
import { snakeKeys } from '../../app/json/views.ts';
import { lastPruneOf } from '../../app/overview/status.ts';
import type { Tasker } from '../../app/tasker.ts';
import { installation } from '../../contract/installation.ts';
import { TaskerError } from '../../errors.ts';
import { type Caller, callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkSeesAll, searchedNamespaces } from '../scope.ts';
import { filterOf } from '../task-filter.ts';

const STATUS = describeRoute(installation.status);
const SUMMARY = describeRoute(installation.summary);
const STATS = describeRoute(installation.stats);
const RETENTION = describeRoute(installation.retention);

/** The period in which ended tasks are counted. The command line has the same default. */
const RECENT = '24h';
const TIMES = [
  'created_after',
  'created_before',
  'ended_after',
  'ended_before',
  'updated_after',
  'updated_before',
  'key',
  'correlation_id',
  'parent_correlation_id',
] as const;

/** Routes for the overview of an installation. */
export function overviewRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(STATUS, async (c) => {
      checkSeesAll(callerOf(c), 'GET /v1/status', 'GET /v1/summary and GET /v1/queues');
      return c.json(statusJson(await tasker.status()), 200);
    })
    .openapi(SUMMARY, async (c) => {
      const { ended_since: given, limit: groups, ...query } = c.req.valid('query');
      const recent = TIMES.every((key) => query[key] === undefined) ? RECENT : undefined;
      const filter = filterOf(query, callerOf(c));
      const summary = await tasker.summarizeTasks(filter, { groups, endedSince: given ?? recent });
      return c.json(summaryJson(summary, filter), 200);
    })
    .openapi(STATS, async (c) => {
      const { template_version: templateVersion, namespace, ...options } = c.req.valid('query');
      const only = onlyNamespace(callerOf(c), namespace);
      const found = await tasker.analytics({ ...options, templateVersion, namespace: only });
      return c.json(statsJson(found), 200);
    })
    .openapi(RETENTION, async (c) => {
      const { policy, eventsMs, auditMs } = tasker.retention;
      const prune = await lastPruneOf(tasker.engine);
      return c.json(
        {
          policy: policy
            ? {
                rules: policy.rules.map((rule): Record<string, unknown> => ({ ...snakeKeys(rule) })),
                archive: policy.archive ?? null,
                release_keys: policy.releaseKeys,
                share: policy.share,
              }
            : null,
          events_retention_ms: eventsMs,
          audit_retention_ms: auditMs,
          last_prune: prune && snakeKeys(prune),
        },
        200,
      );
    });
}

/** Returns the namespace of statistics, which cover one or all. @throws TaskerError `bad_request`, `forbidden` */
function onlyNamespace(caller: Caller, asked: string | undefined): string | undefined {
  const found = searchedNamespaces(caller, asked);
  if (found === undefined || typeof found === 'string') return found;
  if (found.length === 1) return found[0];
  const names = caller.namespaces?.join(', ') ?? '';
  if (asked === undefined) {
    throw new TaskerError('bad_request', `namespace is missing; this credential may see ${names}: pass one of them`);
  }
  throw new TaskerError('forbidden', `this credential may not see namespace ${asked}, only ${names}`);
}
