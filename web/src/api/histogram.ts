import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { TaskHistogram as Histogram } from '../../../src/client/contract.ts';
import { ask, type Query } from './client.ts';
import { usePolling } from './polling.ts';
import { useRoutes } from './routes.ts';

export type { Histogram };
export type Bucket = Histogram['buckets'][number];

/** Counts tasks or failures by time. */
export function useHistogram(query: Query, ms: number): Histogram | undefined {
  const served = useRoutes()?.has('GET /v1/task-histogram') ?? false;
  const { data } = useQuery({
    queryKey: ['histogram', query],
    queryFn: ({ signal }) => ask<Histogram>('v1/task-histogram', { query, signal }),
    enabled: served,
    refetchInterval: usePolling(ms),
    placeholderData: keepPreviousData,
  });
  return data;
}

/** Returns all buckets of a histogram, including empty buckets. */
export function bucketsOf({ from, to, bucket_ms: width, buckets }: Histogram): (Bucket & { start: number })[] {
  const found = new Map(buckets.map((bucket) => [Date.parse(bucket.at), bucket]));
  const first = Date.parse(from);
  const count = Math.min(1000, Math.max(1, Math.ceil((Date.parse(to) - first + 1) / width)));
  return Array.from({ length: count }, (_, i) => {
    const start = first + i * width;
    const bucket = found.get(start) ?? { at: new Date(start).toISOString(), total: 0, failed: 0, open: 0 };
    return { ...bucket, start };
  });
}
