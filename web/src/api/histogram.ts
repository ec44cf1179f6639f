import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api } from './client.ts';
import { usePolling } from './polling.ts';
import type { TaskHistogram } from './types.ts';

type Bucket = TaskHistogram['buckets'][number];

/** Counts tasks or failures by time. */
export function useHistogram(query: Parameters<typeof api.tasks.histogram>[0], ms: number) {
  const { data } = useQuery({
    queryKey: ['histogram', query],
    queryFn: ({ signal }) => api.tasks.histogram(query, { signal }),
    refetchInterval: usePolling(ms),
    placeholderData: keepPreviousData,
  });
  return data;
}

/** Returns all buckets of a histogram, including empty buckets. */
export function bucketsOf({ from, to, bucket_ms: width, buckets }: TaskHistogram): (Bucket & { start: number })[] {
  const found = new Map(buckets.map((bucket) => [Date.parse(bucket.at), bucket]));
  const first = Date.parse(from);
  const count = Math.min(1000, Math.max(1, Math.ceil((Date.parse(to) - first + 1) / width)));
  return Array.from({ length: count }, (_, i) => {
    const start = first + i * width;
    const bucket = found.get(start) ?? { at: new Date(start).toISOString(), total: 0, failed: 0, open: 0 };
    return { ...bucket, start };
  });
}
