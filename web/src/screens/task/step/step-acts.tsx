import { useState } from 'react';
import { api, stepActs } from '../../../api/client.ts';
import { useLacking } from '../../../api/me.tsx';
import type { Method } from '../../../api/routes.ts';
import type { StepResponse, StepState } from '../../../api/types.ts';
import { type Act, ActDialog } from '../../../parts/act-dialog.tsx';
import { Button } from '../../../parts/controls.tsx';
import type { Schema } from '../../../parts/form/json-schema.ts';
import { hasEnded } from '../task-words.ts';
import type { TaskData } from '../use-task.ts';
import { CompleteDialog } from './complete-dialog.tsx';
import { RerunDialog } from './rerun-dialog.tsx';

const OVER: ReadonlySet<string> = new Set<StepState>(['complete', 'resolved_manually', 'cancelled', 'skipped']);

interface StepActsProps {
  data: TaskData;
  step: StepResponse;
}

interface Offer {
  name: string;
  method: Method;
  /** Undefined if the action has its own dialog. */
  act?: Act;
}

/** The actions on a step. An action that the user may not do shows the permission that it needs. */
export function StepActs({ data, step }: StepActsProps) {
  const [chosen, setChosen] = useState<Offer>();
  const lacking = useLacking();
  const offers = offersOf(data, step);
  if (offers.length === 0) return null;
  const missing = [...new Set(offers.flatMap(({ method }) => lacking(method) ?? []))];
  const close = () => setChosen(undefined);
  return (
    <div className="border-b border-line px-4 py-3">
      <div className="flex flex-wrap gap-2">
        {offers.map((offer, at) => (
          <Button
            key={offer.name}
            // An approval waits for a vote.
            look={at === 0 && step.wait?.kind !== 'approval' ? 'primary' : 'plain'}
            lacking={lacking(offer.method)}
            onClick={() => setChosen(offer)}
          >
            {offer.name}
          </Button>
        ))}
      </div>
      {missing.length > 0 && (
        <p className="mt-2 text-xs text-faint">
          {missing.length === 1 ? 'You lack the permission' : 'You lack the permissions'} {missing.join(' and ')}.
        </p>
      )}
      {chosen?.act && <ActDialog act={chosen.act} onClose={close} />}
      {chosen?.name === 'Complete' && <CompleteDialog data={data} step={step} onClose={close} />}
      {chosen?.name === 'Rerun from here' && <RerunDialog uuid={step.task_uuid} step={step.name} onClose={close} />}
    </div>
  );
}

function offersOf({ task }: TaskData, step: StepResponse): Offer[] {
  const { current_state: state, wait } = step;
  const open = !hasEnded(task.status);
  const offers: (Offer | false)[] = [
    open && (state === 'error' || state === 'waiting_for_retry') && retryOf(step),
    open && state === 'waiting' && wait?.kind === 'timer' && fireOf(step),
    ...(open && state === 'waiting' && wait?.kind === 'signal' ? signalsOf(step) : []),
    open && !OVER.has(state) && { name: 'Complete', method: api.steps.update },
    open && !OVER.has(state) && resolveOf(step),
    (OVER.has(state) || state === 'error') && { name: 'Rerun from here', method: api.tasks.rerun },
  ];
  return offers.filter((offer) => offer !== false);
}

export function retryOf({ name, task_uuid: uuid, current_state: state }: StepResponse): Offer {
  return {
    name: state === 'error' ? 'Retry' : 'Retry now',
    method: api.steps.retry,
    act: {
      title: `Retry ${name}`,
      verb: 'Retry the step',
      preview: 'The step runs again with a full set of attempts, and the task continues after it.',
      run: (said) => api.steps.retry(uuid, name, said),
    },
  };
}

export function fireOf({ name, task_uuid: uuid }: StepResponse): Offer {
  return {
    name: 'Fire now',
    method: api.steps.fire,
    act: {
      title: `Fire ${name} now`,
      verb: 'Fire the timer',
      preview: 'The timer ends now, and the steps after it continue.',
      run: (said) => api.steps.fire(uuid, name, said),
    },
  };
}

/** Returns the offers to send each of the signals that a step waits for. */
export function signalsOf(step: StepResponse): Offer[] {
  const { name, names } = (step.wait?.settings ?? {}) as { name?: string; names?: string[] };
  return names
    ? names.map((each) => signalOf(step, each, `Send ${each}`))
    : [signalOf(step, String(name), 'Send signal')];
}

function signalOf({ name, task_uuid: uuid, wait }: StepResponse, signal: string, verb: string): Offer {
  const settings = wait?.settings as { schema?: unknown; schemas?: Record<string, unknown> } | undefined;
  const schema = settings?.schemas?.[signal] ?? settings?.schema;
  return {
    name: verb,
    method: api.signals.send,
    act: {
      title: `Send the signal ${signal}`,
      verb: 'Send the signal',
      preview: `${name} waits for this signal. The payload is checked against the schema of the step.`,
      json: 'Payload',
      schema: schema === undefined ? null : (schema as Schema | null),
      run: ({ by }, payload) => api.signals.send(uuid, { name: signal, payload, by }),
    },
  };
}

function resolveOf({ name, task_uuid: uuid, step_uuid: id }: StepResponse): Offer {
  return {
    name: 'Resolve',
    method: api.steps.update,
    act: {
      title: `Resolve ${name}`,
      verb: 'Resolve the step',
      preview: 'The step is done without a result, and the steps after it continue.',
      needsReason: true,
      run: (said) => stepActs.resolve(uuid, id, said),
    },
  };
}
