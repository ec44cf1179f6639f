import { OpenAPIHono } from '@hono/zod-openapi';
import { workerProcess } from '../contract/process.ts';
import { TaskerError } from '../errors.ts';
import { jsonRoute } from './route.ts';
import { type Check, type Checks, type ServedWorker, worstOf } from './served-worker.ts';

const [HEALTH, LIVE, READY, DETAILED] = [
  jsonRoute(workerProcess.health),
  jsonRoute(workerProcess.live),
  jsonRoute(workerProcess.ready),
  jsonRoute(workerProcess.detailed),
];

/**
 * The health of the worker, for people, load balancers and orchestrators. With `exposed`, other machines can reach the
 * routes, so details of checks, such as messages of the database, are omitted.
 */
export function healthRoutes(worker: ServedWorker, { exposed }: { exposed: boolean }): OpenAPIHono {
  const visible = async (checks: Promise<Checks>) => (exposed ? withoutDetails(await checks) : await checks);
  const shared = () => ({ timestamp: new Date().toISOString(), worker_id: worker.facts().workerId });
  return new OpenAPIHono()
    .openapi(HEALTH, (c) => c.json({ ...shared(), status: 'healthy' as const }, 200))
    .openapi(LIVE, (c) => c.json({ ...shared(), status: 'alive' as const }, 200))
    .openapi(READY, async (c) => {
      const checks = await visible(worker.readiness());
      const wrong = Object.entries(checks).filter(([, { status }]) => status === 'unhealthy' || status === 'unknown');
      if (wrong.length > 0) throw notReady(wrong, checks);
      return c.json(
        { ...shared(), status: 'ready' as const, checks: jsonOf(checks), system_info: infoOf(worker) },
        200,
      );
    })
    .openapi(DETAILED, async (c) => {
      const checks = await visible(worker.details());
      return c.json(
        {
          ...shared(),
          status: worstOf(Object.values(checks).map(({ status }) => status)),
          checks: jsonOf(checks),
          system_info: infoOf(worker),
          distributed_cache: { enabled: false, provider: 'none', healthy: true },
        },
        200,
      );
    });
}

function notReady(wrong: readonly [string, Check][], checks: Checks): TaskerError {
  const parts = wrong.map(([name, { status, message, detail }]) => `${name}: ${detail ?? message ?? status}`);
  return new TaskerError('not_ready', `the worker is not ready: ${parts.join('; ')}`, {
    details: { checks: jsonOf(checks) },
  });
}

function withoutDetails(checks: Checks): Checks {
  return Object.fromEntries(Object.entries(checks).map(([name, { detail: _, ...check }]) => [name, check]));
}

function jsonOf(checks: Checks) {
  return Object.fromEntries(
    Object.entries(checks).map(([name, { status, message, detail = message, ms, checkedAt }]) => [
      name,
      {
        status,
        ...(detail !== undefined && { message: detail }),
        duration_ms: Math.round(ms),
        last_checked: checkedAt.toISOString(),
      },
    ]),
  );
}

function infoOf(worker: ServedWorker) {
  const { version, environment, state, uptimeSeconds, namespaces, databasePoolSize } = worker.facts();
  return {
    version,
    environment,
    operational_state: state,
    uptime_seconds: uptimeSeconds,
    worker_type: 'typescript',
    database_pool_size: databasePoolSize,
    command_processor_active: state === 'running',
    supported_namespaces: [...namespaces],
  };
}
