import { z } from 'zod';
import { NAMES } from './names.ts';

/** The JSON of the health routes. */

export const CheckSchema = z
  .object({
    status: z.enum(['healthy', 'degraded', 'unhealthy', 'unknown']),
    message: z.string().optional(),
    duration_ms: z.int(),
  })
  .register(NAMES, { id: 'ServerHealthCheck' });
const timestamp = z.string();
const checked = {
  timestamp,
  checks: z.record(z.string(), CheckSchema),
  info: z.object({
    version: z.string(),
    environment: z.string(),
    schema: z.string().meta({ description: 'The schema of the database that contains the tables.' }),
    operational_state: z.string(),
    web_database_pool_size: z.int(),
    orchestration_database_pool_size: z.int(),
    circuit_breaker_state: z.string(),
  }),
};

export const HealthSchema = z.object({ status: z.literal('healthy'), timestamp });
export const LiveSchema = z.object({ status: z.literal('alive'), timestamp });
export const ReadySchema = z.object({ status: z.literal('ready'), ...checked }).register(NAMES, { id: 'ServerReady' });
export const DetailedHealthSchema = z
  .object({ status: z.enum(['healthy', 'degraded']), ...checked })
  .register(NAMES, { id: 'ServerDetailedHealth' });
