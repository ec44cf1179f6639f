import { type CSSProperties, memo } from 'react';
import { useNow } from '../../../api/live.tsx';
import type { TimelineSpan } from '../../../api/types.ts';
import { lookOf, StateShape } from '../../../parts/state.tsx';
import { counted, durationText, exactText, numberText, timeOf } from '../../../parts/words.ts';
import { spentText } from '../task-words.ts';
import { type Row, spentOf } from './rows.ts';

const BARS = {
  grey: 'bg-s-grey',
  blue: 'bg-s-blue',
  violet: 'bg-s-violet',
  amber: 'bg-s-amber',
  green: 'bg-s-green',
  red: 'bg-s-red',
  slate: 'bg-s-slate',
} as const;
/** The name and the style of each kind of span. Time in the queue is paler than attempts. */
const KINDS = {
  queued: { word: 'waited', look: 'top-2 h-4 rounded-sm bg-queued' },
  running: { word: 'running', look: '' },
  retry_wait: { word: 'waits for its retry', look: 'top-[15px] h-0.5 bg-s-amber opacity-60' },
  waiting: { word: 'waits', look: 'hatched top-2.5 h-3 rounded-sm text-s-violet' },
  blocked: { word: 'blocked', look: 'hatched top-2.5 h-3 rounded-sm text-s-red' },
} as const;

interface TimelineRowProps {
  row: Row;
  /** When the task was created, in milliseconds since 1970. */
  start: number;
  isSelected: boolean;
  isOnPath: boolean;
  onSelect(name: string): void;
  onToggle(name: string): void;
}

/** A step or a batch. It is drawn again only if it changes: styles compute the places of its bars. */
export const TimelineRow = memo(function TimelineRow(props: TimelineRowProps) {
  const { row, start, isSelected, isOnPath, onSelect, onToggle } = props;
  const { name, state, spans, workers, isUnfolded, isMember } = row;
  const failed = workers?.filter((one) => one === 'error').length ?? 0;
  const words = workers
    ? `${counted(workers.length, 'worker')}${failed > 0 ? `, ${numberText(failed)} failed` : ''}`
    : lookOf(state).word;
  const place = placeOf(spans, start);
  return (
    <li className="timeline-row relative">
      <button
        type="button"
        aria-label={`${name}: ${words}`}
        aria-pressed={isSelected}
        className={`timeline-room flex h-8 w-full items-center text-left -outline-offset-2 ${isSelected ? 'bg-select' : 'hover:bg-hover'}`}
        onClick={() => onSelect(name)}
      >
        <span
          className={`flex w-[148px] shrink-0 items-center gap-2 pr-2 text-sm sm:w-[212px] ${isMember ? 'pl-9' : 'pl-4'} ${workers ? 'pr-14 sm:pr-16' : 'sm:pr-4'}`}
        >
          <StateShape state={state} />
          <span className={`truncate ${isOnPath ? 'font-semibold' : ''}`} title={name}>
            {name}
          </span>
        </span>
        <span className="relative h-full min-w-0 grow overflow-hidden">
          {spans.map((span) => (
            <Bar key={`${span.kind} ${span.from}`} span={span} state={state} start={start} />
          ))}
          {isOnPath && place && <span className="timeline-bar absolute bottom-0.5 h-0.5 bg-path" style={place} />}
        </span>
      </button>
      {/* Outside the button, whose name is shorter. */}
      <span className="timeline-track pointer-events-none absolute inset-y-0">
        {place ? (
          <Label spans={spans} start={start} text={failed > 0 ? `${numberText(failed)} failed · ` : ''} />
        ) : (
          <span className="absolute top-1.5 left-1 text-xs leading-5 text-faint">
            {state === 'pending' ? 'not started' : lookOf(state).word.toLowerCase()}
          </span>
        )}
      </span>
      {workers && (
        <button
          type="button"
          aria-label={`×${numberText(workers.length)}: ${isUnfolded ? 'fold' : 'unfold'} ${name}`}
          aria-expanded={isUnfolded}
          className="absolute top-1.5 left-[100px] h-5 w-11 rounded border border-line bg-surface text-xs leading-4 text-soft tabular-nums hover:bg-hover hover:text-ink sm:left-[156px]"
          onClick={() => onToggle(name)}
        >
          ×{numberText(workers.length)}
        </button>
      )}
    </li>
  );
});

type Place = CSSProperties & Record<'--begin' | '--end', number | string>;

/** Returns the place of some spans. The end of an open span is now. */
function placeOf(spans: readonly TimelineSpan[], start: number): Place | undefined {
  if (spans.length === 0) return undefined;
  const ends = spans.map(({ to }) => to);
  return {
    '--begin': Math.min(...spans.map(({ from }) => timeOf(from).getTime())) - start,
    '--end': ends.includes(null) ? 'var(--now)' : Math.max(...ends.map((to) => timeOf(to!).getTime())) - start,
  };
}

function Bar({ span, state, start }: { span: TimelineSpan; state: string; start: number }) {
  const { kind, from, to, attempt, outcome, error } = span;
  const { word, look } = KINDS[kind];
  const place = placeOf([span], start);
  const what = kind === 'running' ? `attempt ${attempt ?? 1}${outcome ? ` ${outcome}` : ''}` : word;
  const took = to
    ? `${kind === 'running' ? 'ran ' : ''}${durationText(Math.max(0, timeOf(to).getTime() - timeOf(from).getTime()))}, `
    : '';
  const title = `${what}: ${took}from ${exactText(timeOf(from))}${error ? `\n${error}` : ''}`;
  const color = kind === 'running' ? BARS[to === null ? 'blue' : hueOf(span, state)] : '';
  const shape = kind === 'running' ? `top-2 h-4 min-w-[3px] rounded-sm ${to ? '' : 'breathe'}` : look;
  return <span className={`timeline-bar absolute ${shape} ${color}`} style={place} title={title} />;
}

/** The color of an attempt that has ended. */
function hueOf({ error, outcome }: TimelineSpan, state: string) {
  if (error !== null || outcome === 'failed') return 'red';
  return lookOf(outcome === 'skipped' ? 'skipped' : state === 'error' ? 'error' : 'complete').hue;
}

interface LabelProps {
  spans: readonly TimelineSpan[];
  start: number;
  text: string;
}

/** How long the step waited and ran, at the end of its spans. */
function Label({ spans, start, text }: LabelProps) {
  return (
    <span
      className="timeline-label absolute top-1.5 rounded-sm px-1 text-xs leading-5 whitespace-nowrap text-soft tabular-nums"
      style={placeOf(spans, start)}
    >
      {text}
      {spans.some(({ kind, to }) => to === null && kind !== 'blocked') ? (
        <OpenTime spans={spans} />
      ) : (
        <SpentTime spans={spans} now={0} />
      )}
    </span>
  );
}

/** Only this text is drawn every second. */
function OpenTime({ spans }: { spans: readonly TimelineSpan[] }) {
  return <SpentTime spans={spans} now={useNow().getTime()} />;
}

function SpentTime({ spans, now }: { spans: readonly TimelineSpan[]; now: number }) {
  const { attempts, waitedMs, ranMs } = spentOf(spans, now);
  if (attempts > 1) return `${attempts}× · ${spentText(0, ranMs)}`;
  if (attempts === 0) return spentText(waitedMs, 0);
  // A narrow timeline shows only how long the step ran.
  return (
    <>
      {waitedMs >= 1 && <span className="timeline-waited">{spentText(waitedMs, 0)} and </span>}
      {spentText(0, ranMs)}
    </>
  );
}
