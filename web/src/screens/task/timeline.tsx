import { useNow } from '../../api/live.tsx';
import { Empty, Panel } from '../../parts/controls.tsx';
import { lookOf, StateShape } from '../../parts/state.tsx';
import { durationText, exactText, timeOf } from '../../parts/words.ts';
import { type Attempt, attemptsOf } from './attempts.ts';
import { hasEnded } from './task-words.ts';
import type { ViewProps } from './views.tsx';

const BARS = {
  grey: 'bg-s-grey',
  blue: 'bg-s-blue',
  violet: 'bg-s-violet',
  amber: 'bg-s-amber',
  green: 'bg-s-green',
  red: 'bg-s-red',
  slate: 'bg-s-slate',
} as const;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** One row a step: its attempts as bars, and the time in the queue before the first as a thin line. */
export function Timeline({ data, selected, onSelect }: ViewProps) {
  const now = useNow();
  const attempts = attemptsOf(data);
  if (attempts.length === 0) {
    return (
      <Panel>
        <Empty title="No attempt yet">The timeline begins with the first attempt of a step.</Empty>
      </Panel>
    );
  }
  const from = timeOf(data.task.created_at).getTime();
  const last = Math.max(...attempts.map(({ end }) => (end ?? now).getTime(), from));
  const open = !hasEnded(data.task.status) && attempts.some(({ end }) => end === undefined);
  const to = Math.max(open ? now.getTime() : last, from + 1);
  const at = (time: number) => `${(Math.min(1, Math.max(0, (time - from) / (to - from))) * 100).toFixed(3)}%`;
  const order = [...data.steps].sort((a, b) => startOf(attempts, a.name) - startOf(attempts, b.name));
  return (
    <Panel>
      <div className="min-w-[560px] py-2">
        <div className="ml-[200px] mr-4 flex justify-between border-b border-line pb-1 text-xs text-faint tabular-nums">
          {TICKS.map((tick) => (
            <span key={tick}>{tick === 0 ? '0' : durationText((to - from) * tick)}</span>
          ))}
        </div>
        {order.map((step) => {
          const own = attempts.filter((attempt) => attempt.step === step.name);
          const queuedAt = readyAt(data, step.name, from);
          return (
            <button
              key={step.step_uuid}
              type="button"
              aria-pressed={step.name === selected}
              className={`flex h-8 w-full items-center pr-4 text-left ${step.name === selected ? 'bg-select' : 'hover:bg-hover'}`}
              onClick={() => onSelect(step.name)}
            >
              <span className="flex w-[200px] shrink-0 items-center gap-2 truncate px-4 text-sm">
                <StateShape state={step.current_state} />
                <span className="truncate">{step.name}</span>
              </span>
              <span className="relative h-full grow">
                {own[0] && queuedAt !== undefined && (
                  <span
                    className="absolute top-1/2 h-px bg-faint"
                    style={{ left: at(queuedAt), right: `calc(100% - ${at(own[0].start.getTime())})` }}
                  />
                )}
                {own.map((attempt) => (
                  <Bar key={attempt.start.getTime()} attempt={attempt} at={at} now={now} />
                ))}
              </span>
            </button>
          );
        })}
      </div>
    </Panel>
  );
}

function Bar({ attempt, at, now }: { attempt: Attempt; at(time: number): string; now: Date }) {
  const { start, end, state } = attempt;
  const until = (end ?? now).getTime();
  const took = durationText(Math.max(0, until - start.getTime()));
  return (
    <span
      className={`absolute top-2 h-4 min-w-[3px] rounded-sm ${BARS[lookOf(state).hue]} ${end ? '' : 'breathe'}`}
      style={{ left: at(start.getTime()), right: `calc(100% - ${at(until)})` }}
      title={`attempt ${attempt.attempt}: ${took}, from ${exactText(start)}`}
    />
  );
}

function startOf(attempts: readonly Attempt[], step: string): number {
  return Math.min(...attempts.filter((attempt) => attempt.step === step).map(({ start }) => start.getTime()));
}

/** When all parents of a step were done: then it began to wait for a worker. */
function readyAt(data: ViewProps['data'], step: string, created: number): number | undefined {
  const parents = data.topology.edges.filter(({ to }) => to === step);
  const ends = parents.map(({ from }) => data.steps.find(({ name }) => name === from)?.completed_at);
  if (ends.some((end) => !end)) return undefined;
  return Math.max(created, ...ends.map((end) => timeOf(end!).getTime()));
}
