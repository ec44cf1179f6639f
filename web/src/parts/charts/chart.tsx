import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Statistics } from '../../api/types.ts';
import { useIsDark } from '../../frame/theme.ts';
import { dateText, durationText, hourText, numberText, timeOf } from '../words.ts';

const HEIGHT = 140;

/** The attempts of each interval as a bar, with the failed ones below. Its axis is the time of the statistics. */
export default function Chart({ of: { timeline: points, timeline_minutes: minutes, from, to } }: { of: Statistics }) {
  const place = useRef<HTMLDivElement>(null);
  const [over, setOver] = useState<number | null>();
  // The colors are read when the chart is drawn.
  const isDark = useIsDark();
  const text = JSON.stringify({
    range: [from, to],
    points: points.map((point) => [point.at, point.attempts_completed, point.attempts_failed]),
  });
  useEffect(() => {
    const parent = place.current;
    if (!parent) return;
    const { range, points: rows } = JSON.parse(text) as { range: string[]; points: [string, number, number][] };
    const data: uPlot.AlignedData = [
      rows.map(([at]) => secondsOf(at)),
      // Failed attempts are drawn over the lower part of all attempts.
      rows.map(([, completed, failed]) => completed + failed),
      rows.map(([, , failed]) => failed),
    ];
    const plot = new uPlot(optionsOf(parent, range.map(secondsOf) as [number, number], setOver), data, parent);
    const resized = new ResizeObserver(() => plot.setSize({ width: parent.clientWidth, height: HEIGHT }));
    resized.observe(parent);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [text, isDark]);
  const shown = over == null || !points[over] ? points : [points[over]];
  const sum = (count: (point: (typeof points)[number]) => number) =>
    numberText(shown.reduce((total, point) => total + count(point), 0));
  return (
    <figure className="m-0 px-4 py-3">
      <div ref={place} aria-hidden="true" style={{ height: HEIGHT }} />
      <figcaption className="mt-1 flex flex-wrap gap-x-4 text-xs text-soft">
        <span>
          <span className="mr-1.5 inline-block size-2 rounded-full bg-s-green" />
          {sum((point) => point.attempts_completed)} attempts completed
        </span>
        <span>
          <span className="mr-1.5 inline-block size-2 rounded-full bg-s-red" />
          {sum((point) => point.attempts_failed)} failed
        </span>
        <span className="text-faint tabular-nums">
          {shown === points
            ? `${dateText(timeOf(from))} – ${dateText(timeOf(to))}, a bar for ${durationText(minutes * 60_000)}`
            : `from ${dateText(timeOf(shown[0]!.at))}`}
        </span>
      </figcaption>
    </figure>
  );
}

const secondsOf = (at: string) => timeOf(at).getTime() / 1000;

function optionsOf(
  parent: HTMLElement,
  range: [from: number, to: number],
  onOver: (at: number | null | undefined) => void,
): uPlot.Options {
  const color = (name: string) => getComputedStyle(parent).getPropertyValue(name).trim();
  const font = `12px ${getComputedStyle(parent).fontFamily}`;
  const axis = {
    stroke: color('--faint'),
    font,
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
  };
  const series = (name: string) => ({
    fill: color(name),
    width: 0,
    points: { show: false },
    paths: uPlot.paths.bars!({ size: [0.8], align: 1 }),
  });
  return {
    width: parent.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false, setScale: false } },
    hooks: { setCursor: [({ cursor }) => onOver(cursor.idx)] },
    padding: [8, 20, 0, 0],
    scales: { x: { range }, y: { range: (_, __, max) => [0, Math.max(max * 1.1, 4)] } },
    axes: [
      { ...axis, space: 80, size: 28, values: (_, times) => times.map((time) => hourText(new Date(time * 1000))) },
      { ...axis, size: 44 },
    ],
    series: [{}, series('--s-green'), series('--s-red')],
  };
}
