import { z } from 'zod';
import { misuse } from '../misuse.ts';
import { MAX_BATCHES } from './sizes.ts';

/** What the function of `defineBatchAnalyzer` returns: how much there is, and how it is cut. */
export interface BatchConfig {
  /** 0: there is nothing to do. */
  totalItems: number;
  /** Items a worker. */
  batchSize: number;
  /** When there would be more workers than this, each gets more. Default: as many as it takes, up to 10,000. */
  maxBatches?: number;
  /** Handed to each worker; default 1. */
  stepSize?: number;
  /** Stored as `batch_metadata` of the analyzer's result, where workers and aggregator read it. */
  metadata?: Record<string, unknown>;
}

const Model = z.strictObject({
  totalItems: z.int().min(0),
  batchSize: z.int().min(1),
  maxBatches: z.int().min(1).max(MAX_BATCHES).optional(),
  stepSize: z.int().min(1).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

/**
 * A {@link BatchConfig}, checked: what makes no sense, and any other key, is refused by name.
 *
 * @example
 * return BatchConfig({ totalItems: rows.length, batchSize: 100, metadata: { csv_path } });
 */
export function BatchConfig(config: BatchConfig): BatchConfig {
  const parsed = Model.safeParse(config);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw misuse(`BatchConfig: ${[...(issue?.path ?? []), issue?.message].join(': ')}`);
}
