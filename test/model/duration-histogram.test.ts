import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Bucket, durationsOf, PERCENTILE_ERROR } from '../../src/model/duration-histogram.ts';

/** Computes the same bucket as `tasker.bucket_of`. A test on a database compares both. */
function bucketOf(us: number): number {
  return us <= 0 ? 0 : Math.min(511, 1 + Math.ceil(Math.log(us) / Math.log(1.1)));
}

it('a percentile of any values is off by at most five percent', () => {
  const anyValues = fc.array(
    fc.oneof(fc.nat(100), fc.nat(1e6), fc.double({ min: 0, max: 1e13, noNaN: true }).map(Math.round)),
    {
      minLength: 1,
      maxLength: 300,
    },
  );
  fc.assert(
    fc.property(anyValues, (values) => {
      const counts = new Map<number, number>();
      for (const value of values) counts.set(bucketOf(value), (counts.get(bucketOf(value)) ?? 0) + 1);
      const buckets: Bucket[] = [...counts]
        .map(([bucket, count]) => ({ bucket, count }))
        .sort((a, b) => a.bucket - b.bucket);
      const sum = values.reduce((a, b) => a + b, 0);
      const sorted = [...values].sort((a, b) => a - b);
      const [min, max] = [sorted[0]!, sorted.at(-1)!];
      const found = durationsOf({ count: values.length, sum, min, max }, buckets);
      for (const [part, ms] of [
        [0.5, found.p50Ms],
        [0.95, found.p95Ms],
        [0.99, found.p99Ms],
      ] as const) {
        const exact = sorted[Math.ceil(values.length * part) - 1]!;
        // Percentiles are rounded to thousandths of a millisecond.
        expect(Math.abs(ms! * 1000 - exact)).toBeLessThanOrEqual(exact * PERCENTILE_ERROR + 0.5);
      }
      expect(found).toMatchObject({ count: values.length, minMs: min / 1000, maxMs: max / 1000 });
    }),
  );
});

it('without values, there is no percentile', () => {
  expect(durationsOf({ count: 0, sum: 0, min: null, max: null }, [])).toEqual({
    count: 0,
    totalMs: 0,
    averageMs: null,
    minMs: null,
    maxMs: null,
    p50Ms: null,
    p95Ms: null,
    p99Ms: null,
  });
});
