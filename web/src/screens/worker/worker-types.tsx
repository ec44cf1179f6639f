import { api } from '../../api/client.ts';
import type { Worker } from '../../api/types.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { HUES, StateShape } from '../../parts/state.tsx';

const SHAPES: Readonly<Record<Worker['state'], [state: string, hue: keyof typeof HUES]>> = {
  running: ['complete', 'green'],
  draining: ['paused', 'slate'],
  drained: ['paused', 'slate'],
  lost: ['error', 'red'],
  stopped: ['cancelled', 'grey'],
};

export function WorkerState({ state }: Pick<Worker, 'state'>) {
  const [shape, hue] = SHAPES[state];
  return (
    <span className={`inline-flex items-center gap-1.5 ${HUES[hue]}`}>
      <StateShape state={shape} />
      <span className="capitalize">{state}</span>
    </span>
  );
}

export function Slots({ running, hung, concurrency }: Pick<Worker, 'running' | 'hung' | 'concurrency'>) {
  return (
    <span className="inline-flex items-center gap-2">
      <span className="flex h-1 w-16 overflow-hidden rounded-full bg-line">
        <span className="bg-s-blue" style={{ width: `${Math.min(1, running / Math.max(concurrency, 1)) * 100}%` }} />
      </span>
      <span className="text-xs text-faint tabular-nums">
        {running}/{concurrency}
      </span>
      {hung !== null && hung > 0 && (
        <span className="text-xs text-s-red" title="Slots of handlers that did not stop when their attempt ended">
          {hung} hung
        </span>
      )}
    </span>
  );
}

/** The button to drain or resume a worker. Absent for workers that have ended. */
export function WorkerAct({ worker, small }: { worker: Worker; small?: boolean }) {
  const { name, state, running, namespaces } = worker;
  if (state === 'lost' || state === 'stopped') return null;
  const drains = state === 'running';
  const verb = drains ? 'Drain' : 'Resume';
  const method = drains ? api.workers.drain : api.workers.resume;
  return (
    <ActButton
      method={method}
      target={name}
      {...(small && { look: 'quiet', className: 'h-7 px-2' })}
      act={{
        title: `${verb} ${name}`,
        verb: `${verb} the worker`,
        preview: drains
          ? `The worker takes no more steps of ${namespaces.join(', ')}. ${running === 0 ? 'It is running no steps.' : running === 1 ? 'Its running step finishes.' : `Its ${running} running steps finish.`} Steps wait if no other worker takes them.`
          : 'The worker takes steps again.',
        run: (said) => method(name, said),
      }}
    >
      {verb}
    </ActButton>
  );
}
