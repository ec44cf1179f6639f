import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Tasker } from '../../app/tasker.ts';
import { serverProcess } from '../../contract/process.ts';
import type { CheckSchema } from '../../contract/schemas/health.ts';
import { isConnectionError } from '../../engine/engine.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { describeRoute } from '../route.ts';

/** The data that the health routes show. */
export interface ServerFacts {
  version: string;
  environment: string;
  /** `running` or `shutting_down`. */
  state(): string;
}

const [HEALTH, LIVE, READY, DETAILED] = [
  describeRoute(serverProcess.health),
  describeRoute(serverProcess.live),
  describeRoute(serverProcess.ready),
  describeRoute(serverProcess.detailed),
];

type Check = z.infer<typeof CheckSchema>;
/** A probe that takes longer is reported as unknown. */
const PROBE_MS = 2_000;
/** Number of ready steps that no worker has claimed at which the queue is degraded, or unhealthy. */
const DEPTH_DEGRADED = 10_000;
const DEPTH_UNHEALTHY = 50_000;

/**
 * Routes for the health of the server. With `exposed`, other machines can reach them, so messages of the database, which
 * may name hosts and users, are omitted.
 */
export function healthRoutes(tasker: Tasker, facts: ServerFacts, { exposed }: { exposed: boolean }): OpenAPIHono {
  const now = () => new Date().toISOString();
  const about = async () => {
    const { poolSize } = tasker.vitals;
    const database = await databaseCheck(tasker, { exposed });
    const running: Check = { status: facts.state() === 'running' ? 'healthy' : 'unhealthy', duration_ms: 0 };
    const checks: Record<string, Check> = {
      web_database: database,
      orchestration_database: database,
      circuit_breaker: { status: 'healthy', duration_ms: 0 },
      orchestration_system: running,
      command_processor: running,
    };
    const info = {
      version: facts.version,
      environment: facts.environment,
      schema: tasker.engine.database.schema.name,
      operational_state: facts.state(),
      web_database_pool_size: poolSize,
      orchestration_database_pool_size: poolSize,
      circuit_breaker_state: 'closed',
    };
    return { timestamp: now(), checks, info };
  };
  return new OpenAPIHono()
    .openapi(HEALTH, (c) => c.json({ status: 'healthy' as const, timestamp: now() }, 200))
    .openapi(LIVE, (c) => c.json({ status: 'alive' as const, timestamp: now() }, 200))
    .openapi(READY, async (c) => {
      const found = await about();
      const wrong = Object.entries(found.checks).filter(([, { status }]) => status !== 'healthy');
      if (wrong.length > 0) {
        const parts = wrong.map(([name, { status, message }]) => `${name}: ${message ?? status}`);
        throw new TaskerError('not_ready', `the server is not ready: ${parts.join('; ')}`);
      }
      return c.json({ status: 'ready' as const, ...found }, 200);
    })
    .openapi(DETAILED, async (c) => {
      const [found, others] = await Promise.all([about(), measuredChecks(tasker)]);
      Object.assign(found.checks, others);
      const sound = Object.values(found.checks).every(({ status }) => status === 'healthy');
      return c.json({ status: sound ? ('healthy' as const) : ('degraded' as const), ...found }, 200);
    });
}

async function databaseCheck(tasker: Tasker, { exposed }: { exposed: boolean }): Promise<Check> {
  const from = performance.now();
  const took = () => Math.round(performance.now() - from);
  try {
    const answered = await waitAtMost(
      PROBE_MS,
      tasker.engine.probe({ timeoutMs: PROBE_MS }).then(() => true),
    );
    if (answered) return { status: 'healthy', duration_ms: took() };
    return { status: 'unknown', message: `no response within ${PROBE_MS / 1000} s`, duration_ms: took() };
  } catch (error) {
    const reason = isConnectionError(error) ? 'not reachable' : 'the query failed';
    return { status: 'unhealthy', message: exposed ? reason : messageOf(error), duration_ms: took() };
  }
}

/** Returns the checks that read metrics. Without metrics, returns only the checks that are always healthy. */
async function measuredChecks(tasker: Tasker): Promise<Record<string, Check>> {
  const channel: Check = {
    status: 'healthy',
    message: 'not used; steps wait in the queue of the database',
    duration_ms: 0,
  };
  const from = performance.now();
  let values: Awaited<ReturnType<Tasker['metrics']['json']>> | undefined;
  const reading = tasker.metrics.json().then(
    (read) => {
      values = read;
    },
    () => undefined,
  );
  await waitAtMost(PROBE_MS, reading);
  const took = Math.round(performance.now() - from);
  if (!values) {
    const silent: Check = { status: 'unknown', message: 'the metrics could not be read in time', duration_ms: took };
    return { pool_utilization: silent, queue_depth: silent, channel_saturation: channel };
  }
  const sum = (name: string) => sumOf(values!, name);
  const [active, waiting, depth] = [
    sum('tasker_db_pool_connections{pool="shared",state="active"}'),
    sum('tasker_db_pool_waiting{'),
    sum('tasker_queue_depth{'),
  ];
  if (active === undefined) return { channel_saturation: channel };
  return {
    pool_utilization: poolCheck({ active, waiting: waiting ?? 0, size: tasker.vitals.poolSize, took }),
    queue_depth: depthCheck(depth, took),
    channel_saturation: channel,
  };
}

/** Returns the sum of the samples whose names begin with a string. Undefined if there are none. */
function sumOf(values: Record<string, { value: number }>, name: string): number | undefined {
  const found = Object.entries(values).filter(([key]) => key.startsWith(name));
  return found.length === 0 ? undefined : found.reduce((sum, [, { value }]) => sum + value, 0);
}

function poolCheck(pool: { active: number; waiting: number; size: number; took: number }): Check {
  const { active, waiting, size, took } = pool;
  const message = `${active} of ${size} connections in use, and ${waiting} callers waiting for one`;
  return { status: active >= size && waiting > 0 ? 'degraded' : 'healthy', message, duration_ms: took };
}

/** `depth`: undefined while the database could not be read. */
function depthCheck(depth: number | undefined, took: number): Check {
  if (depth === undefined) return { status: 'unknown', message: 'the queues could not be read', duration_ms: took };
  const status = depth < DEPTH_DEGRADED ? 'healthy' : depth < DEPTH_UNHEALTHY ? 'degraded' : 'unhealthy';
  return { status, message: `${depth} ready steps that no worker has claimed`, duration_ms: took };
}
