import { z } from 'zod';
import { BottlenecksSchema, PerformanceSchema } from './schemas/analytics.ts';
import { queryNumber } from './schemas/query.ts';
import { verb } from './verb.ts';

/** The verbs for analytics. */
export const analytics = {
  performance: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/analytics/performance',
    on: 'visible',
    permission: 'system:analytics_read',
    summary: 'Returns counts, rates and durations of the last hours',
    takes: { query: z.object({ hours: queryNumber(24, { max: 24 * 365 }) }) },
    gives: PerformanceSchema,
    mcp: { name: 'analytics_performance' },
  }),
  bottlenecks: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/analytics/bottlenecks',
    on: 'visible',
    permission: 'system:analytics_read',
    summary: 'Returns the slowest steps and templates of the last day',
    takes: {
      query: z.object({
        limit: queryNumber(10, { max: 1000 }),
        min_executions: queryNumber(5, { min: 0, max: 1_000_000 }),
      }),
    },
    gives: BottlenecksSchema,
    mcp: { name: 'analytics_bottlenecks' },
  }),
};
