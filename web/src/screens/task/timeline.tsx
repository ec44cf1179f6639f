import { useMemo, useRef, useState } from 'react';
import { api } from '../../api/client.ts';
import { useNow } from '../../api/live.tsx';
import type { Timeline as TimelineData } from '../../api/types.ts';
import { Button, Empty, Panel, Problem } from '../../parts/controls.tsx';
import { timeOf } from '../../parts/words.ts';
import { PathWords } from './graph/critical-path-words.tsx';
import { type Range, type Row, rangeOf, rowsOf, ticksOf } from './timeline/rows.ts';
import { TimelineRow } from './timeline/timeline-row.tsx';
import { useUnfolded } from './unfolded.ts';
import { partQuery, useTaskPart, type ViewProps } from './use-task.ts';

/** Pixels of the shortest drag that zooms. */
const LEAST_DRAG = 6;
/** Milliseconds of the shortest range. */
const LEAST_RANGE = 2;

/**
 * One row per step: its attempts as bars, with its waits and its time in the queue between them. A batch is one row that
 * can be unfolded. Dragging over the time axis zooms.
 */
export function Timeline({ data, selected, onSelect }: ViewProps) {
  const { task_uuid: uuid } = data.task;
  const { data: timeline, error } = useTaskPart(
    partQuery(uuid, 'timeline', (options) => api.tasks.timeline(uuid, options)),
  );
  const { unfolded, toggle } = useUnfolded();
  const rows = useMemo(() => rowsOf(timeline, unfolded), [timeline, unfolded]);
  if (error && !timeline) return <Problem error={error} />;
  if (!timeline) return null;
  if (rows.every(({ spans }) => spans.length === 0)) {
    return (
      <Panel>
        <Empty title="No attempt yet">The timeline begins with the first attempt of a step.</Empty>
      </Panel>
    );
  }
  return (
    <>
      <Rows
        {...{ timeline, rows, selected, onSelect }}
        onToggle={toggle}
        onPath={data.criticalPath?.steps.map(({ name }) => name) ?? []}
      />
      <PathWords path={data.criticalPath} onSelect={onSelect} />
    </>
  );
}

interface RowsProps {
  timeline: TimelineData;
  rows: readonly Row[];
  selected: string | undefined;
  onPath: readonly string[];
  onSelect(name: string): void;
  onToggle(name: string): void;
}

function Rows({ timeline, rows, selected, onPath, onSelect, onToggle }: RowsProps) {
  const now = useNow().getTime();
  const [zoomed, setZoomed] = useState<Range>();
  const latest = useRef({ onSelect, onToggle });
  latest.current = { onSelect, onToggle };
  const [acts] = useState(() => ({
    select: (name: string) => latest.current.onSelect(name),
    toggle: (name: string) => latest.current.onToggle(name),
  }));
  // The length of a blocked span is limited, so that a long night does not squeeze the attempts before it.
  const isOpen = rows.some(({ spans }) => spans.some(({ kind, to }) => to === null && kind !== 'blocked'));
  const start = timeOf(timeline.created_at).getTime();
  const whole = rangeOf(timeline, rows, isOpen ? now : undefined);
  const { from, to } = zoomed ?? whole;
  const path = new Set(onPath);
  return (
    <div className="timeline-frame">
      <Panel>
        {/* The rows place their bars by these numbers, so that they are not drawn again every second. */}
        <div
          className="timeline relative min-w-[400px] py-2 sm:min-w-[560px]"
          style={{ '--from': from - start, '--total': to - from, '--now': Math.min(now, whole.to) - start } as object}
        >
          <Axis start={start} range={{ from, to }} onZoom={setZoomed} />
          <ul aria-label="Timeline" className="relative">
            {rows.map((row) => (
              <TimelineRow
                key={row.isMember ? `of ${row.name}` : row.name}
                row={row}
                start={start}
                isSelected={row.name === selected}
                isOnPath={path.has(row.name)}
                onSelect={acts.select}
                onToggle={acts.toggle}
              />
            ))}
          </ul>
          {isOpen && (
            <span aria-hidden="true" className="timeline-track pointer-events-none absolute inset-y-0 overflow-hidden">
              <span className="timeline-now absolute inset-y-0 w-px bg-accent" />
            </span>
          )}
        </div>
      </Panel>
      {zoomed && (
        <p className="-mt-4 mb-4 text-sm">
          <Button className="h-7 px-2.5 text-xs" onClick={() => setZoomed(undefined)}>
            Show the whole timeline
          </Button>
        </p>
      )}
      <Legend isOpen={isOpen} rows={rows} hasPath={path.size > 0} isZoomed={zoomed !== undefined} />
    </div>
  );
}

interface AxisProps {
  start: number;
  range: Range;
  onZoom(range: Range): void;
}

/** The time since the creation of the task, in round steps. */
function Axis({ start, range: { from, to }, onZoom }: AxisProps) {
  const [drag, setDrag] = useState<{ from: number; to: number }>();
  const ticks = ticksOf({ from: from - start, to: to - start });
  const shareOf = ({ clientX, currentTarget }: { clientX: number; currentTarget: Element }) => {
    const { left, width } = currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - left) / width));
  };
  const finish = (wide: number) => {
    if (drag && Math.abs(drag.to - drag.from) * wide >= LEAST_DRAG) {
      const [first, last] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
      const begin = from + first * (to - from);
      onZoom({ from: begin, to: Math.max(begin + LEAST_RANGE, from + last * (to - from)) });
    }
    setDrag(undefined);
  };
  return (
    <>
      <div
        className="timeline-axis timeline-axis-room relative ml-[148px] h-6 cursor-col-resize touch-none border-b border-line text-xs text-faint tabular-nums select-none sm:ml-[212px]"
        title="Drag to zoom"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = shareOf(event);
          setDrag({ from: at, to: at });
        }}
        onPointerMove={(event) => drag && setDrag({ ...drag, to: shareOf(event) })}
        onPointerUp={({ currentTarget }) => finish(currentTarget.clientWidth)}
        onPointerCancel={() => setDrag(undefined)}
      >
        {ticks.map(({ at, text }) => (
          <span key={at} className="timeline-tick absolute whitespace-nowrap" style={{ '--at': at } as object}>
            {text}
          </span>
        ))}
        {drag && (
          <span
            className="absolute inset-y-0 bg-select"
            style={{
              left: `${Math.min(drag.from, drag.to) * 100}%`,
              width: `${Math.abs(drag.to - drag.from) * 100}%`,
            }}
          />
        )}
      </div>
      <span aria-hidden="true" className="timeline-track pointer-events-none absolute top-8 bottom-2">
        {ticks.map(({ at }) => (
          <span key={at} className="timeline-line absolute inset-y-0 w-px bg-line" style={{ '--at': at } as object} />
        ))}
      </span>
    </>
  );
}

interface LegendProps {
  isOpen: boolean;
  rows: readonly Row[];
  hasPath: boolean;
  isZoomed: boolean;
}

function Legend({ isOpen, rows, hasPath, isZoomed }: LegendProps) {
  const kinds = new Set(rows.flatMap(({ spans }) => spans.map(({ kind }) => kind)));
  const bar = (className: string) => <span className={`inline-block w-5 ${className}`} aria-hidden="true" />;
  const failed = rows.some(({ spans }) => spans.some(({ error, outcome }) => error !== null || outcome === 'failed'));
  const skipped = rows.some(({ spans }) => spans.some(({ outcome }) => outcome === 'skipped'));
  const entries: readonly (readonly [boolean, string, string])[] = [
    [kinds.has('queued'), 'h-2.5 rounded-sm bg-queued', 'waited in the queue'],
    [true, 'h-2.5 rounded-sm bg-s-green', 'ran'],
    [failed, 'h-2.5 rounded-sm bg-s-red', 'failed attempt'],
    [skipped, 'h-2.5 rounded-sm bg-s-grey', 'skipped'],
    [kinds.has('retry_wait'), 'h-0.5 bg-s-amber opacity-60', 'waits for its retry'],
    [kinds.has('waiting') || kinds.has('blocked'), 'hatched h-2.5 rounded-sm text-s-violet', 'waits or is blocked'],
    [hasPath, 'h-0.5 bg-path', 'critical path'],
    [isOpen, '!w-px h-3 bg-accent', 'now'],
  ];
  return (
    <p className="-mt-4 mb-4 flex flex-wrap items-center gap-x-5 gap-y-1 text-xs text-faint">
      {entries
        .filter(([isShown]) => isShown)
        .map(([, look, text]) => (
          <span key={text} className="inline-flex items-center gap-1.5">
            {bar(look)} <span>{text}</span>
          </span>
        ))}
      {!isZoomed && <span>Drag over the time axis to zoom.</span>}
    </p>
  );
}
