import { type PointerEvent, useRef, useState } from 'react';
import { useSearchParams } from 'react-router';
import { bucketsOf, useHistogram } from '../../api/histogram.ts';
import type { TaskHistogram as Histogram } from '../../api/types.ts';
import { counted, dayText, hourText, numberText } from '../../parts/words.ts';
import type { TaskQuery } from './filters.ts';

const HISTOGRAM_MS = 10_000;
const BUCKETS = 90;
const HEIGHT = 56;
const DAY_MS = 86_400_000;
const PERIODS = [
  ['1h', 'Last hour'],
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
] as const;

/** The tasks by the time of their creation. Dragging over it filters the list. */
export function TaskHistogram({ query }: { query: TaskQuery }) {
  const { cursor: _, sort: __, order: ___, ...filter } = query;
  const data = useHistogram({ ...filter, buckets: BUCKETS }, HISTOGRAM_MS);
  const [search, setSearch] = useSearchParams();
  const choose = (after: string | undefined, before?: string) =>
    setSearch((now) => {
      now.delete('cursor');
      for (const [name, value] of [
        ['created_after', after],
        ['created_before', before],
      ] as const) {
        if (value === undefined) now.delete(name);
        else now.set(name, value);
      }
      return now;
    });
  const after = search.get('created_after');
  const before = search.get('created_before');
  const period = after === null && before === null ? '' : before === null ? after : undefined;
  return (
    <section aria-label="Tasks by time of creation" className="mb-4 rounded-lg border border-line bg-surface">
      <div className="flex h-9 items-center gap-1 pr-1.5 pl-3 text-xs text-faint">
        <span className="grow">Created</span>
        {[['', 'All'], ...PERIODS].map(([value, label]) => (
          <button
            key={value}
            type="button"
            aria-pressed={period === value}
            className={`h-6 rounded px-1.5 ${period === value ? 'bg-select text-ink' : 'hover:bg-hover hover:text-ink'}`}
            onClick={() => choose(value || undefined)}
          >
            <span className="max-sm:hidden">{label}</span>
            <span className="sm:hidden">{value || label}</span>
          </button>
        ))}
      </div>
      <div className="px-3 pb-2">{data ? <Bars data={data} onBrush={choose} /> : <div className="h-[78px]" />}</div>
    </section>
  );
}

function Bars({ data, onBrush }: { data: Histogram; onBrush(after: string, before: string): void }) {
  const [drag, setDrag] = useState<{ from: number; to: number }>();
  const [over, setOver] = useState<number>();
  const place = useRef<SVGSVGElement>(null);
  const buckets = bucketsOf(data);
  const width = data.bucket_ms;
  const most = Math.max(1, ...buckets.map(({ total }) => total));
  const at = (event: PointerEvent) => {
    const box = place.current!.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    return Math.min(buckets.length - 1, Math.max(0, Math.floor(share * buckets.length)));
  };
  const [first, last] = drag ? [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)] : [0, -1];
  const end = (event: PointerEvent) => {
    if (!drag) return;
    const to = at(event);
    const [low, high] = [Math.min(drag.from, to), Math.max(drag.from, to)];
    setDrag(undefined);
    onBrush(timeAt(buckets[low]!.start), timeAt(buckets[high]!.start + width));
  };
  const bar = (count: number) => (count === 0 ? 0 : Math.max(2, (count / most) * HEIGHT));
  return (
    <figure className="m-0">
      <svg
        ref={place}
        className="block w-full cursor-crosshair touch-pan-y"
        height={HEIGHT}
        viewBox={`0 0 ${buckets.length} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag({ from: at(event), to: at(event) });
        }}
        onPointerMove={(event) => {
          setOver(at(event));
          if (drag) setDrag({ ...drag, to: at(event) });
        }}
        onPointerUp={end}
        onPointerCancel={() => setDrag(undefined)}
        onPointerLeave={() => setOver(undefined)}
      >
        {drag && <rect x={first} width={last - first + 1} height={HEIGHT} className="fill-select" />}
        {!drag && over !== undefined && <rect x={over} width={1} height={HEIGHT} className="fill-hover" />}
        <rect y={HEIGHT - 1} width={buckets.length} height={1} className="fill-line" />
        {buckets.map(({ start, total, failed, open }, i) => {
          if (total === 0) return null;
          const whole = bar(total);
          const red = (whole * failed) / total;
          const blue = (whole * open) / total;
          const box = { x: i + 0.12, width: 0.76 };
          return (
            <g key={start}>
              <rect {...box} y={HEIGHT - whole} height={whole} className="fill-s-green opacity-55" />
              <rect {...box} y={HEIGHT - red - blue} height={blue} className="fill-s-blue" />
              <rect {...box} y={HEIGHT - red} height={red} className="fill-s-red" />
            </g>
          );
        })}
      </svg>
      <figcaption className="mt-1 flex flex-wrap justify-between gap-x-3 text-xs text-faint tabular-nums sm:flex-nowrap">
        <span>{axisText(buckets[0]!.start, data)}</span>
        <span className="truncate text-soft max-sm:order-last max-sm:w-full">
          {captionOf(data, over === undefined ? undefined : buckets[over])}
        </span>
        <span>{axisText(Date.parse(data.to), data)}</span>
      </figcaption>
    </figure>
  );
}

const timeAt = (ms: number) => new Date(ms).toISOString();

/** Returns a time of the histogram, with its date if the histogram covers a day or more. */
function axisText(ms: number, { from, to }: Histogram): string {
  const short = Date.parse(to) - Date.parse(from) < DAY_MS;
  return (short ? hourText : dayText)(new Date(ms));
}

function captionOf(data: Histogram, over: ReturnType<typeof bucketsOf>[number] | undefined): string {
  const { total, complete, buckets } = data;
  if (!over) {
    const failed = buckets.reduce((sum, bucket) => sum + bucket.failed, 0);
    const part = complete ? counted(total, 'task') : `only the newest ${counted(total, 'task')}`;
    return `${part}${failed > 0 ? `, ${numberText(failed)} failed or blocked` : ''}${total > 0 ? ' · drag to select a time' : ''}`;
  }
  const { start } = over;
  const span = `${axisText(start, data)} – ${axisText(start + data.bucket_ms, data)}`;
  const numbers = [
    counted(over.total, 'task'),
    over.failed > 0 && `${numberText(over.failed)} failed or blocked`,
    over.open > 0 && `${numberText(over.open)} open`,
  ];
  return `${span}: ${numbers.filter(Boolean).join(', ')}`;
}
