import { z } from 'zod';
import { NAMES } from './names.ts';

/** The JSON of statistics. */

export const PerformanceSchema = z
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
  .register(NAMES, { id: 'PerformanceMetrics' });

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
export const BottlenecksSchema = z
  .object({
    slow_steps: z.array(z.object({ ...slow, step_name: z.string() })),
    slow_tasks: z.array(z.object({ ...slow, average_step_count: z.number() })),
    resource_utilization: z.object({
      database_pool_utilization: z.number(),
      system_health: z.record(z.string(), z.number()),
    }),
    recommendations: z.array(z.string()),
  })
  .register(NAMES, { id: 'BottleneckAnalysis' });
