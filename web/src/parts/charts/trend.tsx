import { bucketsOf, useHistogram } from '../../api/histogram.ts';
import type { TaskConditions } from '../../api/types.ts';
import { numberText } from '../words.ts';

const HOURS = 24;
const TREND_MS = 60_000;
const HEIGHT = 24;
const BAR = 4;

/** The failures of a group in the last day, hour by hour. Steps that have been retried since are not counted. */
export function Trend({ filter }: { filter: TaskConditions }) {
  const data = useHistogram({ ...filter, by: 'failed', since: `${HOURS}h`, buckets: HOURS + 2 }, TREND_MS);
  if (!data) return <div className="h-6 w-24" />;
  const buckets = bucketsOf(data);
  const most = Math.max(1, ...buckets.map(({ total }) => total));
  const text = `${numberText(data.total)} failed in the last ${HOURS} hours`;
  return (
    <svg width={buckets.length * BAR} height={HEIGHT} role="img" aria-label={text} className="block">
      <title>{text}</title>
      {buckets.map(({ start, total }, i) => {
        const height = total === 0 ? 1 : Math.max(2, (total / most) * HEIGHT);
        return (
          <rect
            key={start}
            x={i * BAR}
            y={HEIGHT - height}
            width={BAR - 1}
            height={height}
            className={total === 0 ? 'fill-line' : 'fill-s-red'}
          />
        );
      })}
    </svg>
  );
}
