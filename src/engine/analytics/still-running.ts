import { addBuckets, bucketOf } from '../../model/duration-histogram.ts';
import { grouped } from '../../model/grouped.ts';
import type { HistogramPart, RunningAttempt, SumsRow } from '../../store/analytics/read.ts';
import { ALL_STEPS, type CountedRow, NOTHING, type NumbersLayout, partsOf } from './numbers.ts';

const keyOf = ({ templateId, idx }: { templateId: number; idx: number }) => `${templateId} ${idx}`;

/**
 * Returns the running attempts that already ran longer than the average attempt of their step. Shorter ones say nothing
 * yet about how long their step takes, and would lower its percentiles.
 */
export function longRunning(running: readonly RunningAttempt[], rows: readonly SumsRow[]): RunningAttempt[] {
  const averages = new Map(rows.map((row) => [keyOf(row), row.runCount === 0 ? 0 : row.runUs / row.runCount]));
  return running.filter((one) => one.us > (averages.get(keyOf(one)) ?? 0));
}

/** Adds running attempts, with their time so far, to the rows of their steps, and of all steps of their templates. */
export function withRunning(rows: readonly SumsRow[], running: readonly RunningAttempt[]): CountedRow[] {
  const counted = new Map(rows.map((row): [string, CountedRow] => [keyOf(row), { ...row, stillRunning: 0 }]));
  for (const { templateId, idx, us } of running) {
    for (const place of [idx, ALL_STEPS]) {
      const key = keyOf({ templateId, idx: place });
      const row = counted.get(key) ?? { ...NOTHING, templateId, idx: place };
      counted.set(key, row);
      row.stillRunning++;
      row.runCount++;
      row.runUs += us;
      row.runMin = Math.min(row.runMin ?? us, us);
      row.runMax = Math.max(row.runMax ?? us, us);
    }
  }
  return [...counted.values()];
}

/** Adds the time so far of running attempts to the histograms, and the task of the longest one where it is the slowest. */
export function addRunning(
  histograms: Map<number, HistogramPart>,
  layout: NumbersLayout,
  running: readonly RunningAttempt[],
): void {
  const places = running.flatMap((one) => [one, { ...one, idx: ALL_STEPS }]);
  const byKey = grouped(places, keyOf);
  for (const { part, keys, runMax } of partsOf(layout)) {
    const here = keys.flatMap((key) => byKey.get(keyOf(key)) ?? []);
    if (here.length === 0) continue;
    const known = histograms.get(part) ?? { run: [], wait: [], slowest: null };
    const added = here.map(({ us }) => ({ bucket: bucketOf(us), count: 1 }));
    const slowest = here.find(({ us }) => us === runMax)?.taskUuid ?? known.slowest;
    histograms.set(part, { ...known, run: addBuckets([known.run, added]), slowest });
  }
}
