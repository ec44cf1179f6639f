import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Tasker } from '../app/tasker.ts';
import { messageOf, TaskerError } from '../errors.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import { describeRoute } from './route.ts';
import {
  type CheckSchema,
  DetailedHealthSchema,
  HealthSchema,
  LiveSchema,
  ReadySchema,
} from './schemas/health-schemas.ts';

/** The facts about the server that the health routes show. */
export interface ServerFacts {
  version: string;
  environment: string;
  /** `running` or `shutting_down`. */
  state(): string;
}

const HEALTH = describeRoute({
  method: 'get',
  path: '/health',
  permission: 'public',
  summary: 'Whether the process responds',
  answer: HealthSchema,
});
const LIVE = describeRoute({
  method: 'get',
  path: '/health/live',
  permission: 'public',
  summary: 'Whether the process responds; restart it if it does not',
  answer: LiveSchema,
});
const READY = describeRoute({
  method: 'get',
  path: '/health/ready',
  permission: 'public',
  summary: 'Whether requests can be answered; 503 names the part that prevents it',
  answer: ReadySchema,
});
const DETAILED = describeRoute({
  method: 'get',
  path: '/health/detailed',
  permission: 'public',
  summary: 'The state of every part; always 200',
  answer: DetailedHealthSchema,
});

type Check = z.infer<typeof CheckSchema>;
/** A probe that takes longer is reported as unknown. */
const PROBE_MS = 2_000;

/** Routes for the health of the server. */
export function healthRoutes(tasker: Tasker, facts: ServerFacts): OpenAPIHono {
  const now = () => new Date().toISOString();
  const about = async () => {
    const { poolSize } = tasker.vitals;
    const database = await databaseCheck(tasker);
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
      const found = await about();
      const sound = Object.values(found.checks).every(({ status }) => status === 'healthy');
      return c.json({ status: sound ? ('healthy' as const) : ('degraded' as const), ...found }, 200);
    });
}

async function databaseCheck(tasker: Tasker): Promise<Check> {
  const from = performance.now();
  const took = () => Math.round(performance.now() - from);
  try {
    const answered = await waitAtMost(
      PROBE_MS,
      tasker.engine.probe({ timeoutMs: PROBE_MS }).then(() => true),
    );
    if (answered) return { status: 'healthy', duration_ms: took() };
    return { status: 'unknown', message: `no answer within ${PROBE_MS / 1000} s`, duration_ms: took() };
  } catch (error) {
    return { status: 'unhealthy', message: messageOf(error), duration_ms: took() };
  }
}
