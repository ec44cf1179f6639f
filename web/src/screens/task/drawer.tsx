import { useState } from 'react';
import { completeStep, rerunFrom, resolveStep, retryStep } from '../../api/acts.ts';
import { useNow } from '../../api/live.tsx';
import { useLacking } from '../../api/me.tsx';
import type { StepDetail } from '../../api/types.ts';
import { type Act, ActDialog } from '../../parts/act-dialog.tsx';
import { Button } from '../../parts/controls.tsx';
import { JsonTree } from '../../parts/json-tree.tsx';
import { State } from '../../parts/state.tsx';
import { Time } from '../../parts/text.tsx';
import { attemptsOf } from './attempts.ts';
import { StepProblem } from './step-problem.tsx';
import { hasEnded, stepTimeText } from './task-words.ts';
import type { TaskData } from './use-task.ts';

interface DrawerProps {
  data: TaskData;
  step: StepDetail;
  onClose(): void;
}

/** Everything about the selected step, beside the views of the task. */
export function Drawer({ data, step, onClose }: DrawerProps) {
  const now = useNow();
  const why = data.why?.steps.find((one) => one.step === step.name)?.why;
  const { error, success, result } = step.results ?? {};
  const handler = data.handlers.get(step.name);
  return (
    <aside
      aria-label={`Step ${step.name}`}
      className="w-full shrink-0 self-start rounded-lg border border-line bg-surface lg:w-[420px]"
    >
      <div className="flex items-start justify-between gap-2 border-b border-line px-4 py-3">
        <div className="min-w-0">
          <h2 className="truncate font-semibold" title={step.name}>
            {step.name}
          </h2>
          <div className="mt-0.5 flex flex-wrap items-center gap-x-3 text-sm text-soft">
            <State state={step.current_state} />
            <span className="tabular-nums">{stepTimeText(step, now)}</span>
            <span>
              attempt {step.attempts} of {step.max_attempts}
            </span>
          </div>
        </div>
        <Button look="quiet" className="px-2" aria-label="Close the step" onClick={onClose}>
          ×
        </Button>
      </div>
      <StepActs data={data} step={step} />
      {error && <StepProblem error={error} />}
      {why && !error && step.current_state !== 'complete' && (
        <p className="border-b border-line px-4 py-3 text-sm">{why}</p>
      )}
      <Attempts data={data} step={step} />
      {success && (
        <section aria-label="Result" className="border-b border-line">
          <h3 className="px-4 pt-3 text-xs font-medium text-faint">Result</h3>
          <div className="px-1 pb-2">
            <JsonTree name="the result" value={result} />
          </div>
        </section>
      )}
      <dl className="grid grid-cols-[88px_1fr] gap-y-1 px-4 py-3 text-sm">
        <dt className="text-faint">Handler</dt>
        <dd className="truncate font-mono text-xs leading-5">{handler ?? '–'}</dd>
        <dt className="text-faint">Worker</dt>
        <dd className="truncate">{step.results?.metadata.worker_id ?? '–'}</dd>
        <dt className="text-faint">Terminal</dt>
        <dd className="font-mono text-xs leading-5 break-all">
          npx tasker step get {step.task_uuid} {step.name}
        </dd>
      </dl>
    </aside>
  );
}

function Attempts({ data, step }: Omit<DrawerProps, 'onClose'>) {
  const own = attemptsOf(data).filter((attempt) => attempt.step === step.name);
  if (own.length < 2) return null;
  return (
    <section aria-label="Attempts" className="border-b border-line px-4 py-3">
      <h3 className="mb-1 text-xs font-medium text-faint">Attempts</h3>
      <ul className="text-sm">
        {own.toReversed().map(({ attempt, state, start, error }) => (
          <li key={start.getTime()} className="flex items-baseline gap-3 py-0.5">
            <span className="w-4 text-right text-faint tabular-nums">{attempt}</span>
            <State state={state} />
            <span className="grow truncate text-soft" title={error ?? ''}>
              {error}
            </span>
            <span className="text-faint">
              <Time at={start.toISOString()} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const STEP_ROUTE = 'PATCH /v1/tasks/{uuid}/workflow_steps/{step_uuid}';

function StepActs({ data: { task, routes }, step }: Omit<DrawerProps, 'onClose'>) {
  const [act, setAct] = useState<Act>();
  const lacking = useLacking();
  const { name, step_uuid: id, task_uuid: uuid } = step;
  const open = !hasEnded(task.status);
  const failed = step.current_state === 'error';
  const over = ['complete', 'resolved_manually', 'cancelled'].includes(step.current_state);
  const acts: { name: string; show: boolean; route?: string; act: Act }[] = [
    {
      name: 'Retry',
      show: open && failed,
      act: {
        title: `Retry ${name}`,
        verb: 'Retry the step',
        preview: 'The step runs again with a full set of attempts, and the task continues after it.',
        run: (said) => retryStep(uuid, id, said),
      },
    },
    {
      name: 'Resolve',
      show: open && !over,
      act: {
        title: `Resolve ${name}`,
        verb: 'Resolve the step',
        preview: 'The step counts as done without a result, and the steps after it continue.',
        needsReason: true,
        run: (said) => resolveStep(uuid, id, said),
      },
    },
    {
      name: 'Complete',
      show: open && !over,
      act: {
        title: `Complete ${name}`,
        verb: 'Complete the step',
        preview: 'The step counts as done with this result, and the steps after it continue.',
        json: 'Result (JSON)',
        needsReason: true,
        run: (said, result) => completeStep(uuid, id, result, said),
      },
    },
    {
      name: 'Rerun from here',
      route: 'POST /v1/tasks/{uuid}/rerun',
      show: over && (routes?.has('POST /v1/tasks/{uuid}/rerun') ?? false),
      act: {
        title: `Rerun from ${name}`,
        verb: 'Rerun from here',
        preview: 'The step and everything after it run again, even if the task has ended. Their results are replaced.',
        danger: true,
        run: (said) => rerunFrom(uuid, name, said),
      },
    },
  ];
  const shown = acts.filter(({ show }) => show);
  if (shown.length === 0) return null;
  return (
    <div className="flex flex-wrap gap-2 border-b border-line px-4 py-3">
      {shown.map((one, at) => (
        <Button
          key={one.name}
          look={at === 0 ? 'primary' : 'plain'}
          lacking={lacking(one.route ?? STEP_ROUTE)}
          onClick={() => setAct(one.act)}
        >
          {one.name}
        </Button>
      ))}
      {act && <ActDialog act={act} onClose={() => setAct(undefined)} />}
    </div>
  );
}
