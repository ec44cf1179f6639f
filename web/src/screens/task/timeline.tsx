import { useMemo } from 'react';
import { api } from '../../api/client.ts';
import { useNow } from '../../api/live.tsx';
import type { Timeline as TimelineData, TimelineSpan } from '../../api/types.ts';
import { Empty, Panel, Problem } from '../../parts/controls.tsx';
import { lookOf, StateShape } from '../../parts/state.tsx';
import { durationText, exactText, timeOf } from '../../parts/words.ts';
import { PathWords } from './graph/critical-path-words.tsx';
import { partQuery, useTaskPart, type ViewProps } from './use-task.ts';

const BARS = {
  grey: 'bg-s-grey',
  blue: 'bg-s-blue',
  violet: 'bg-s-violet',
  amber: 'bg-s-amber',
  green: 'bg-s-green',
  red: 'bg-s-red',
  slate: 'bg-s-slate',
} as const;
/** The shown length of a blocked step, as a share of the time before it. */
const BLOCKED_SHARE = 0.1;
const TICKS = [0, 0.25, 0.5, 0.75, 1];
/**
 * The name and the style of each kind of span. Only attempts are drawn as bars, to distinguish them from waits and
 * queueing.
 */
const KINDS = {
  queued: { word: 'queued', look: 'top-1/2 h-px bg-faint' },
  running: { word: 'running', look: '' },
  retry_wait: { word: 'waits for its retry', look: 'top-[15px] h-0.5 bg-s-amber opacity-60' },
  waiting: { word: 'waits', look: 'hatched top-2.5 h-3 rounded-sm text-s-violet' },
  blocked: { word: 'blocked', look: 'hatched top-2.5 h-3 rounded-sm text-s-red' },
} as const;

interface Row {
  name: string;
  state: string;
  spans: readonly TimelineSpan[];
  start: number;
}

/** One row per step: its attempts as bars, with its waits and its time in the queue between them. */
export function Timeline({ data, selected, onSelect }: ViewProps) {
  const { task_uuid: uuid } = data.task;
  const { data: timeline, error } = useTaskPart(
    partQuery(uuid, 'timeline', (options) => api.tasks.timeline(uuid, options)),
  );
  const now = useNow();
  const rows = useMemo(() => rowsOf(timeline), [timeline]);
  if (error && !timeline) return <Problem error={error} />;
  if (!timeline) return null;
  if (rows.length === 0) {
    return (
      <Panel>
        <Empty title="No attempt yet">The timeline begins with the first attempt of a step.</Empty>
      </Panel>
    );
  }
  // The length of a blocked span is limited, so that a long night does not squeeze the attempts before it.
  const isOpen = rows.some(({ spans }) => spans.some(({ kind, to }) => to === null && kind !== 'blocked'));
  const { from, to } = rangeOf(timeline, rows, isOpen ? now.getTime() : undefined);
  const at = (time: number) => Math.min(1, Math.max(0, (time - from) / (to - from))) * 100;
  const place = ({ from: start, to: end }: TimelineSpan) => ({
    left: `${at(timeOf(start).getTime()).toFixed(3)}%`,
    right: `${(100 - at(end ? timeOf(end).getTime() : now.getTime())).toFixed(3)}%`,
  });
  const onPath = new Set(data.criticalPath?.steps.map(({ name }) => name));
  return (
    <>
      <Panel>
        <div className="min-w-[400px] py-2 sm:min-w-[560px]">
          <div className="mr-4 ml-[148px] flex sm:ml-[212px] justify-between border-b border-line pb-1 text-xs text-faint tabular-nums">
            {TICKS.map((tick) => (
              <span key={tick} className="whitespace-nowrap max-sm:even:hidden">
                {tick === 0 ? '0' : durationText((to - from) * tick)}
              </span>
            ))}
          </div>
          <ul aria-label="Timeline">
            {rows.map(({ name, state, spans }) => (
              <li key={name} className="timeline-row">
                <button
                  type="button"
                  aria-label={`${name}: ${lookOf(state).word}`}
                  aria-pressed={name === selected}
                  className={`flex h-8 w-full items-center pr-4 text-left ${name === selected ? 'bg-select' : 'hover:bg-hover'}`}
                  onClick={() => onSelect(name)}
                >
                  <span className="flex w-[148px] shrink-0 items-center gap-2 pr-2 pl-4 text-sm sm:w-[212px] sm:pr-4">
                    <StateShape state={state} />
                    <span className={`truncate ${onPath.has(name) ? 'font-semibold' : ''}`} title={name}>
                      {name}
                    </span>
                  </span>
                  <span className="relative h-full grow">
                    {spans.map((span) => (
                      <Span key={`${span.kind} ${span.from}`} span={span} state={state} place={place(span)} now={now} />
                    ))}
                    {isOpen && <span className="absolute inset-y-0 right-0 w-px bg-accent" />}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </div>
      </Panel>
      <Legend
        isOpen={isOpen}
        hasSkipped={rows.some(({ spans }) => spans.some(({ outcome }) => outcome === 'skipped'))}
      />
      <PathWords path={data.criticalPath} onSelect={onSelect} />
    </>
  );
}

interface SpanProps {
  span: TimelineSpan;
  state: string;
  place: { left: string; right: string };
  now: Date;
}

function Span({ span, state, place, now }: SpanProps) {
  const { kind, from, to, attempt, outcome, error } = span;
  const { word, look } = KINDS[kind];
  const took = durationText(Math.max(0, (to ? timeOf(to) : now).getTime() - timeOf(from).getTime()));
  const what = kind === 'running' ? `attempt ${attempt ?? 1}${outcome ? ` ${outcome}` : ''}` : word;
  const title = `${what}: ${took}, from ${exactText(timeOf(from))}${error ? `\n${error}` : ''}`;
  if (kind !== 'running') return <span className={`absolute ${look}`} style={place} title={title} />;
  const hue = to === null ? 'blue' : hueOf(span, state);
  return (
    <span
      className={`absolute top-2 h-4 min-w-[3px] rounded-sm ${BARS[hue]} ${to ? '' : 'breathe'}`}
      style={place}
      title={title}
    />
  );
}

/** The color of an attempt that has ended. */
function hueOf({ error, outcome }: TimelineSpan, state: string) {
  if (error !== null || outcome === 'failed') return 'red';
  return lookOf(outcome === 'skipped' ? 'skipped' : state === 'error' ? 'error' : 'complete').hue;
}

function Legend({ isOpen, hasSkipped }: { isOpen: boolean; hasSkipped: boolean }) {
  const bar = (className: string) => <span className={`inline-block w-5 ${className}`} aria-hidden="true" />;
  return (
    <p className="-mt-4 mb-4 flex flex-wrap items-center gap-x-5 gap-y-1 text-xs text-faint">
      <span className="inline-flex items-center gap-1.5">{bar('h-2.5 rounded-sm bg-s-green')} attempt</span>
      <span className="inline-flex items-center gap-1.5">{bar('h-2.5 rounded-sm bg-s-red')} failed attempt</span>
      {hasSkipped && (
        <span className="inline-flex items-center gap-1.5">
          {bar('h-2.5 rounded-sm bg-s-grey')} <span>skipped</span>
        </span>
      )}
      <span className="inline-flex items-center gap-1.5">{bar('h-px bg-faint')} in the queue</span>
      <span className="inline-flex items-center gap-1.5">{bar('h-0.5 bg-s-amber opacity-60')} waits for its retry</span>
      <span className="inline-flex items-center gap-1.5">
        {bar('hatched h-2.5 rounded-sm text-s-violet')} waits or is blocked
      </span>
      {isOpen && <span className="inline-flex items-center gap-1.5">{bar('!w-px h-3 bg-accent')} now</span>}
    </p>
  );
}

function rowsOf(timeline: TimelineData | undefined): Row[] {
  const rows = (timeline?.steps ?? []).flatMap(({ name, state, spans }): Row[] =>
    spans.length > 0
      ? [{ name, state, spans, start: Math.min(...spans.map(({ from }) => timeOf(from).getTime())) }]
      : [],
  );
  return rows.sort((one, other) => one.start - other.start);
}

function rangeOf({ created_at }: TimelineData, rows: readonly Row[], now: number | undefined) {
  const from = Math.min(timeOf(created_at).getTime(), rows[0]!.start);
  let to = Math.max(now ?? 0, from + 1);
  for (const { spans } of rows) {
    for (const span of spans) {
      if (span.kind !== 'blocked') to = Math.max(to, timeOf(span.to ?? span.from).getTime());
      else to = Math.max(to, from + (timeOf(span.from).getTime() - from) * (1 + BLOCKED_SHARE));
    }
  }
  return { from, to };
}
