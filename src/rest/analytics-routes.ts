import { OpenAPIHono, z } from '@hono/zod-openapi';
import { countSteps } from '../app/overview/step-states.ts';
import type { Context } from 'hono';
import type { Tasker } from '../app/tasker.ts';
import { TASK_STATES } from '../engine/task-view.ts';
import { callerOf } from './caller.ts';
import { refuseInvalid } from './refuse-invalid.ts';
import { describeRoute, queryNumber } from './route.ts';

const PerformanceSchema = z
  .object({
    total_tasks: z.int(),
    active_tasks: z.int(),
    completed_tasks: z.int(),
    failed_tasks: z.int(),
    completion_rate: z.number(),
    error_rate: z.number(),
    average_task_duration_seconds: z.number(),
    average_step_duration_seconds: z.number(),
    tasks_per_hour: z.number(),
    steps_per_hour: z.number(),
    system_health_score: z.number(),
    analysis_period_start: z.string(),
    calculated_at: z.string(),
  })
  .openapi('PerformanceMetrics');

const slow = {
  namespace_name: z.string(),
  task_name: z.string(),
  version: z.string(),
  average_duration_seconds: z.number(),
  max_duration_seconds: z.number(),
  execution_count: z.int(),
  error_count: z.int(),
  error_rate: z.number(),
  last_executed_at: z.string().nullable(),
};
const BottlenecksSchema = z
  .object({
    slow_steps: z.array(z.object({ ...slow, step_name: z.string() })),
    slow_tasks: z.array(z.object({ ...slow, average_step_count: z.number() })),
    resource_utilization: z.object({
      database_pool_utilization: z.number(),
      system_health: z.record(z.string(), z.number()),
    }),
    recommendations: z.array(z.string()),
  })
  .openapi('BottleneckAnalysis');

const PERFORMANCE = describeRoute({
  method: 'get',
  path: '/v1/analytics/performance',
  permission: 'system:analytics_read',
  scoped: true,
  summary: 'Counts, rates and durations of the last hours',
  request: { query: z.object({ hours: queryNumber(24, { max: 24 * 365 }) }) },
  answer: PerformanceSchema,
});
const BOTTLENECKS = describeRoute({
  method: 'get',
  path: '/v1/analytics/bottlenecks',
  permission: 'system:analytics_read',
  scoped: true,
  summary: 'The slowest steps and templates of the last day',
  request: {
    query: z.object({
      limit: queryNumber(10, { max: 1000 }),
      min_executions: queryNumber(5, { min: 0, max: 1_000_000 }),
    }),
  },
  answer: BottlenecksSchema,
});

/** Returns the condition that limits statistics to the namespaces of the caller. */
const within = (c: Context) => {
  const { namespaces } = callerOf(c);
  return namespaces ? { namespaces } : {};
};
const seconds = (ms: number | null) => (ms === null ? 0 : Math.round(ms) / 1000);

/** Routes for statistics. */
export function analyticsRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(PERFORMANCE, async (c) => {
      const { hours } = c.req.valid('query');
      const { tasks, steps, open, from } = await tasker.analytics({ since: `${hours}h`, limit: 1, ...within(c) });
      const blocked = open?.blocked ?? 0;
      const failed = tasks.failed + blocked;
      const total = tasks.ended + (open?.total ?? 0);
      return c.json(
        {
          total_tasks: total,
          active_tasks: open?.total ?? 0,
          completed_tasks: tasks.completed,
          failed_tasks: failed,
          completion_rate: rate(tasks.completed, total),
          error_rate: rate(failed, total),
          average_task_duration_seconds: seconds(tasks.duration.averageMs),
          average_step_duration_seconds: seconds(steps.duration.averageMs),
          tasks_per_hour: tasks.endedPerHour,
          steps_per_hour: steps.attemptsPerHour,
          system_health_score: Math.round(100 * (1 - rate(failed, total))) / 100,
          analysis_period_start: from,
          calculated_at: new Date().toISOString(),
        },
        200,
      );
    })
    .openapi(BOTTLENECKS, async (c) => {
      const { limit, min_executions: least } = c.req.valid('query');
      const [found, systemHealthNow] = await Promise.all([
        tasker.analytics({ since: '24h', sort: 'duration', limit: 1000, ...within(c) }),
        systemHealth(tasker, within(c)),
      ]);
      const { poolSize, poolIdle } = tasker.vitals;
      return c.json(
        {
          slow_steps: found.slowSteps
            .filter(({ attempts }) => attempts >= least)
            .slice(0, limit)
            .map((step) => ({
              namespace_name: step.namespace,
              task_name: step.name,
              version: step.version,
              step_name: step.step,
              average_duration_seconds: seconds(step.duration.averageMs),
              max_duration_seconds: seconds(step.duration.maxMs),
              execution_count: step.attempts,
              error_count: step.failed + step.lost,
              error_rate: step.errorRate ?? 0,
              last_executed_at: step.lastEndedAt,
            })),
          slow_tasks: found.templates
            .filter(({ tasks }) => tasks.ended >= least)
            .slice(0, limit)
            .map(({ namespace, name, version, tasks, averageStepCount }) => ({
              namespace_name: namespace,
              task_name: name,
              version,
              average_duration_seconds: seconds(tasks.duration.averageMs),
              max_duration_seconds: seconds(tasks.duration.maxMs),
              execution_count: tasks.ended,
              average_step_count: averageStepCount ?? 0,
              error_count: tasks.failed,
              error_rate: tasks.errorRate ?? 0,
              last_executed_at: tasks.lastEndedAt,
            })),
          resource_utilization: {
            database_pool_utilization: rate(poolSize - poolIdle, poolSize),
            system_health: systemHealthNow,
          },
          recommendations: found.recommendations,
        },
        200,
      );
    });
}

function rate(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

const STEP_STATES = [
  'pending',
  'enqueued',
  'in_progress',
  'enqueued_for_orchestration',
  'enqueued_as_error_for_orchestration',
  'waiting_for_retry',
  'waiting',
  'complete',
  'error',
  'cancelled',
  'resolved_manually',
] as const;
/** The states in which steps are listed across tasks. */
const LISTED = ['enqueued', 'in_progress', 'waiting', 'waiting_for_retry', 'error', 'resolved_manually'] as const;

/** The numbers of tasks and steps by state. If there are many steps, some are projected from a part of them. */
async function systemHealth(
  tasker: Tasker,
  filter: { namespaces?: readonly string[] },
): Promise<Record<string, number>> {
  const [{ states }, steps] = await Promise.all([tasker.summarizeTasks(filter, { groups: 1 }), countSteps(tasker.engine)]);
  const inState: Record<string, number> = { ...steps.states };
  // Few steps are in these states, so that a projection could miss them. They are counted up to 10,000.
  if (!steps.isExact) {
    const totals = LISTED.map(async (stepState) => (await tasker.listSteps({ stepState, ...filter }, { limit: 1 })).total);
    for (const [at, total] of (await Promise.all(totals)).entries()) inState[LISTED[at]!] = total;
  }
  return {
    ...Object.fromEntries(TASK_STATES.map((state) => [`${state}_tasks`, states[state] ?? 0])),
    total_tasks: Object.values(states).reduce((sum, count) => sum + count, 0),
    ...Object.fromEntries(STEP_STATES.map((state) => [`${state}_steps`, inState[state] ?? 0])),
    total_steps: steps.total,
  };
}
