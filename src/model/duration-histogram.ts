/** The factor between the bounds of a bucket. */
const GROWTH = 1.1;
/** The largest relative error of a percentile, because one value represents a whole bucket. */
export const PERCENTILE_ERROR = 0.05;

/** Part of a histogram of durations: a bucket, and the number of values in it. */
export interface Bucket {
  /** 0: zero microseconds. `b`: up to 1.1 ^ (b - 1) microseconds. */
  bucket: number;
  count: number;
}

/** Exact numbers about durations, in microseconds. */
export interface DurationSums {
  count: number;
  sum: number;
  min: number | null;
  max: number | null;
}

/** A duration in milliseconds. Null without values. */
export interface Durations {
  /** Number of values. */
  count: number;
  /** Exact. */
  totalMs: number;
  averageMs: number | null;
  /** Exact. So is the maximum. */
  minMs: number | null;
  maxMs: number | null;
  /** Half of the values are at most this. Percentiles come from histograms, and are wrong by at most 5 %. */
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

/** Returns the bucket of a duration in microseconds, like `tasker.bucket_of`. */
export function bucketOf(us: number): number {
  return us <= 0 ? 0 : Math.min(511, 1 + Math.ceil(Math.log(us) / Math.log(GROWTH)));
}

/** Returns the sum of histograms, with the buckets in order. */
export function addBuckets(histograms: readonly (readonly Bucket[])[]): Bucket[] {
  const counts = new Map<number, number>();
  for (const { bucket, count } of histograms.flat()) counts.set(bucket, (counts.get(bucket) ?? 0) + count);
  return [...counts].map(([bucket, count]) => ({ bucket, count })).sort((a, b) => a.bucket - b.bucket);
}

/** Returns the value, in microseconds, that represents a bucket with the smallest possible relative error. */
function representative(bucket: number): number {
  return bucket === 0 ? 0 : (GROWTH ** (bucket - 1) * 2) / (1 + GROWTH);
}

/** Returns the statistics of durations, given the sums and the sorted buckets of the same values. */
export function durationsOf({ count, sum, min, max }: DurationSums, buckets: readonly Bucket[]): Durations {
  const ms = (us: number) => Math.round(us) / 1000;
  const total = buckets.reduce((all, one) => all + one.count, 0);
  const percentile = (part: number): number | null => {
    if (total === 0 || min === null || max === null) return null;
    let left = Math.ceil(total * part);
    for (const one of buckets) {
      left -= one.count;
      if (left <= 0) return ms(Math.min(max, Math.max(min, representative(one.bucket))));
    }
    return ms(max);
  };
  return {
    count,
    totalMs: ms(sum),
    averageMs: count === 0 ? null : ms(sum / count),
    minMs: min === null ? null : ms(min),
    maxMs: max === null ? null : ms(max),
    p50Ms: percentile(0.5),
    p95Ms: percentile(0.95),
    p99Ms: percentile(0.99),
  };
}
