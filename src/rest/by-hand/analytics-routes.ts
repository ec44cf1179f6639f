import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { countSteps } from '../../app/overview/step-states.ts';
import type { Tasker } from '../../app/tasker.ts';
import { analytics } from '../../contract/analytics.ts';
import { STEP_STATES, TASK_STATES } from '../../model/states.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';

const PERFORMANCE = describeRoute(analytics.performance);
const BOTTLENECKS = describeRoute(analytics.bottlenecks);

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

/** The states in which steps are listed across tasks. */
const LISTED = ['enqueued', 'in_progress', 'waiting', 'waiting_for_retry', 'error', 'resolved_manually'] as const;

/** The numbers of tasks and steps by state. If there are many steps, some numbers are extrapolated from a sample. */
async function systemHealth(
  tasker: Tasker,
  filter: { namespaces?: readonly string[] },
): Promise<Record<string, number>> {
  const [{ states }, steps] = await Promise.all([
    tasker.summarizeTasks(filter, { groups: 1 }),
    filter.namespaces ? stepsOf(tasker, filter) : allSteps(tasker),
  ]);
  return {
    ...Object.fromEntries(TASK_STATES.map((state) => [`${state}_tasks`, states[state] ?? 0])),
    total_tasks: Object.values(states).reduce((sum, count) => sum + count, 0),
    ...steps,
  };
}

async function allSteps(tasker: Tasker): Promise<Record<string, number>> {
  const { states, isExact, total } = await countSteps(tasker.engine);
  return {
    ...Object.fromEntries(STEP_STATES.map((state) => [`${state}_steps`, states[state] ?? 0])),
    // Few steps are in these states, so an extrapolation could miss them.
    ...(!isExact && (await stepsOf(tasker, {}))),
    total_steps: total,
  };
}

/** Counts the steps in the listed states, each up to 10,000. The other steps are counted only for all namespaces. */
async function stepsOf(tasker: Tasker, filter: { namespaces?: readonly string[] }): Promise<Record<string, number>> {
  const totals = LISTED.map(async (stepState) => {
    const { total } = await tasker.listSteps({ stepState, ...filter }, { limit: 1 });
    return [`${stepState}_steps`, total] as const;
  });
  return Object.fromEntries(await Promise.all(totals));
}
