import type { Worker } from '../../../../src/client/contract.ts';

import { ask, pathOf } from '../../api/client.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { HUES, StateShape } from '../../parts/state.tsx';

export type { Worker };

const SHAPES: Readonly<Record<string, [state: string, hue: keyof typeof HUES]>> = {
  running: ['complete', 'green'],
  draining: ['paused', 'slate'],
  drained: ['paused', 'slate'],
  lost: ['error', 'red'],
};

export function WorkerState({ state }: { state: string }) {
  const [shape, hue] = SHAPES[state] ?? ['cancelled', 'grey'];
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
  if (!['running', 'draining', 'drained'].includes(state)) return null;
  const drains = state === 'running';
  const verb = drains ? 'Drain' : 'Resume';
  return (
    <ActButton
      route={`POST /v1/workers/{name}/${verb.toLowerCase()}`}
      target={name}
      {...(small && { look: 'quiet', className: 'h-7 px-2' })}
      act={{
        title: `${verb} ${name}`,
        verb: `${verb} the worker`,
        preview: drains
          ? `The worker takes no more steps of ${namespaces.join(', ')}. ${running === 0 ? 'It is running no steps.' : running === 1 ? 'Its running step finishes.' : `Its ${running} running steps finish.`} Steps wait if no other worker takes them.`
          : 'The worker takes steps again.',
        run: (said) => ask(`${pathOf`v1/workers/${name}`}/${verb.toLowerCase()}`, { method: 'POST', body: said }),
      }}
    >
      {verb}
    </ActButton>
  );
}
