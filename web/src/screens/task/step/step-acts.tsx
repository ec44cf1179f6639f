import { useState } from 'react';
import { actOnStep, resolveStep, sendSignal } from '../../../api/acts.ts';
import { useLacking } from '../../../api/me.tsx';
import type { StepDetail } from '../../../api/types.ts';
import { type Act, ActDialog } from '../../../parts/act-dialog.tsx';
import { Button } from '../../../parts/controls.tsx';
import { hasEnded } from '../task-words.ts';
import type { TaskData } from '../use-task.ts';
import { CompleteDialog } from './complete-dialog.tsx';
import { RerunDialog } from './rerun-dialog.tsx';

const STEP_ROUTE = 'PATCH /v1/tasks/{uuid}/workflow_steps/{step_uuid}';
const OVER = new Set(['complete', 'resolved_manually', 'cancelled']);

interface StepActsProps {
  data: TaskData;
  step: StepDetail;
}

interface Offer {
  name: string;
  route: string;
  /** Undefined if the action has its own dialog. */
  act?: Act;
}

/** The actions on a step. An action that the user may not do shows the permission that it needs. */
export function StepActs({ data, step }: StepActsProps) {
  const [chosen, setChosen] = useState<Offer>();
  const lacking = useLacking();
  const offers = offersOf(data, step);
  if (offers.length === 0) return null;
  const missing = [...new Set(offers.flatMap(({ route }) => lacking(route) ?? []))];
  const close = () => setChosen(undefined);
  return (
    <div className="border-b border-line px-4 py-3">
      <div className="flex flex-wrap gap-2">
        {offers.map((offer, at) => (
          <Button
            key={offer.name}
            // An approval waits for a vote.
            look={at === 0 && step.wait?.kind !== 'approval' ? 'primary' : 'plain'}
            lacking={lacking(offer.route)}
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

function offersOf({ task }: TaskData, step: StepDetail): Offer[] {
  const { current_state: state, wait } = step;
  const open = !hasEnded(task.status);
  const offers: (Offer | false)[] = [
    open && (state === 'error' || state === 'waiting_for_retry') && retryOf(step),
    open && state === 'waiting' && wait?.kind === 'timer' && fireOf(step),
    open && state === 'waiting' && wait?.kind === 'signal' && signalOf(step, String(wait.settings.name)),
    open && !OVER.has(state) && { name: 'Complete', route: STEP_ROUTE },
    open && !OVER.has(state) && resolveOf(step),
    (OVER.has(state) || state === 'error') && { name: 'Rerun from here', route: 'POST /v1/tasks/{uuid}/rerun' },
  ];
  return offers.filter((offer) => offer !== false);
}

export function retryOf({ name, task_uuid: uuid, current_state: state }: StepDetail): Offer {
  return {
    name: state === 'error' ? 'Retry' : 'Retry now',
    route: 'POST /v1/tasks/{uuid}/workflow_steps/{step}/retry',
    act: {
      title: `Retry ${name}`,
      verb: 'Retry the step',
      preview: 'The step runs again with a full set of attempts, and the task continues after it.',
      run: (said) => actOnStep(uuid, name, 'retry', said),
    },
  };
}

export function fireOf({ name, task_uuid: uuid }: StepDetail): Offer {
  return {
    name: 'Fire now',
    route: 'POST /v1/tasks/{uuid}/workflow_steps/{step}/fire',
    act: {
      title: `Fire ${name} now`,
      verb: 'Fire the timer',
      preview: 'The timer ends now, and the steps after it continue.',
      run: (said) => actOnStep(uuid, name, 'fire', said),
    },
  };
}

export function signalOf({ name, task_uuid: uuid }: StepDetail, signal: string): Offer {
  return {
    name: 'Send signal',
    route: 'POST /v1/tasks/{uuid}/signals',
    act: {
      title: `Send the signal ${signal}`,
      verb: 'Send the signal',
      preview: `${name} waits for this signal. The payload is checked against the schema of the step.`,
      json: 'Payload (JSON)',
      run: (said, payload) => sendSignal(uuid, signal, payload, said),
    },
  };
}

function resolveOf({ name, task_uuid: uuid, step_uuid: id }: StepDetail): Offer {
  return {
    name: 'Resolve',
    route: STEP_ROUTE,
    act: {
      title: `Resolve ${name}`,
      verb: 'Resolve the step',
      preview: 'The step is done without a result, and the steps after it continue.',
      needsReason: true,
      run: (said) => resolveStep(uuid, id, said),
    },
  };
}
