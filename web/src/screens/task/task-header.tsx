import { type ReactNode, useState } from 'react';
import { Link } from 'react-router';
import { actOnTask, cancelTask, retryTask } from '../../api/acts.ts';
import { useNow } from '../../api/live.tsx';
import { useLacking } from '../../api/me.tsx';
import { useLinks } from '../../frame/namespace.ts';
import { type Act, ActDialog } from '../../parts/act-dialog.tsx';
import { Button } from '../../parts/controls.tsx';
import { State } from '../../parts/state.tsx';
import { Id, Time } from '../../parts/text.tsx';
import { counted, durationText, timeOf } from '../../parts/words.ts';
import { hasEnded, reasonOf } from './task-words.ts';
import type { TaskData } from './use-task.ts';

export function TaskHeader({ data }: { data: TaskData }) {
  const { task, steps, why } = data;
  const link = useLinks();
  const now = useNow();
  const ended = hasEnded(task.status);
  const reason = task.status === 'complete' ? undefined : (why?.summary ?? reasonOf(task, steps));
  const until = ended && task.completed_at ? timeOf(task.completed_at) : now;
  const failed = task.failed_steps > 0;
  const problem = steps.find(({ current_state: state, results }) => state === 'error' && results?.error);
  return (
    <header className="mb-4">
      <p className="mb-1 text-sm text-faint">
        <Link to={link('tasks')} className="hover:text-ink hover:underline">
          Tasks
        </Link>{' '}
        / {task.namespace}
      </p>
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
        <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
          <h1 className="text-xl leading-7 font-semibold tracking-tight">{task.name}</h1>
          <Link
            to={link(`templates/${task.namespace}/${task.name}/${task.version}`)}
            className="text-sm text-soft hover:text-ink hover:underline"
          >
            {task.version}
          </Link>
          <span aria-live="polite" className="font-medium">
            <State state={task.status} />
          </span>
        </div>
        <TaskActs data={data} />
      </div>
      <dl className="mt-2 flex flex-wrap gap-x-6 gap-y-1 text-sm text-soft">
        <Fact name="Id">
          <Id id={task.task_uuid} what="task id" />
        </Fact>
        <Fact name="Created">
          <Time at={task.created_at} />
        </Fact>
        <Fact name={ended ? 'Took' : 'Age'}>
          {durationText(Math.max(0, until.getTime() - timeOf(task.created_at).getTime()))}
        </Fact>
        <Fact name="Steps">
          {task.completed_steps} of {task.total_steps}
        </Fact>
        {task.priority !== 0 && <Fact name="Priority">{task.priority}</Fact>}
        {task.initiator && <Fact name="By">{task.initiator}</Fact>}
        {task.tags.length > 0 && <Fact name="Tags">{task.tags.join(', ')}</Fact>}
      </dl>
      {reason && (
        <p
          className={`mt-3 rounded-md border-l-2 px-3 py-2 text-sm ${failed ? 'border-s-red bg-t-red' : 'border-edge bg-hover'}`}
        >
          {reason}
          {why && problem && (
            <span className="mt-1 block text-soft">
              {problem.name}: {problem.results?.error?.message}
            </span>
          )}
        </p>
      )}
    </header>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex items-baseline gap-1.5">
      <dt className="text-faint">{name}</dt>
      <dd className="tabular-nums">{children}</dd>
    </div>
  );
}

/** Acts on the failed steps. */
const RETRY_ROUTE = 'PATCH /v1/tasks/{uuid}/workflow_steps/{step_uuid}';

function TaskActs({ data: { task, routes } }: { data: TaskData }) {
  const [act, setAct] = useState<Act>();
  const lacking = useLacking();
  if (!routes) return null;
  const { task_uuid: uuid } = task;
  const failed = counted(task.failed_steps, 'step');
  const retry: Act = {
    title: 'Retry the task',
    verb: `Retry ${failed}`,
    preview: `${failed} run again with a full set of attempts, and the task continues. Completed steps keep their results.`,
    run: (said) => retryTask(routes, uuid, said),
  };
  const cancel: Act = {
    title: 'Cancel the task',
    verb: 'Cancel the task',
    preview: 'Its open steps are cancelled. Steps that are running now finish, but their results are dropped.',
    danger: true,
    silent: true,
    run: () => cancelTask(uuid),
  };
  const resolve: Act = {
    title: 'Resolve the task',
    verb: 'Resolve the task',
    preview:
      'The task ends as resolved by hand, and its open steps are cancelled. Use it when the work was done elsewhere.',
    needsReason: true,
    run: (said) => actOnTask(uuid, 'resolve', said),
  };
  const pause: Act = {
    title: 'Pause the task',
    verb: 'Pause the task',
    preview: 'Running steps finish. No other step starts until the task is resumed.',
    run: (said) => actOnTask(uuid, 'pause', said),
  };
  const ended = hasEnded(task.status);
  const can = (name: string) => routes.has(`POST /v1/tasks/{uuid}/${name}`);
  return (
    <div className="flex flex-wrap gap-2">
      {task.failed_steps > 0 && !ended && (
        <Button look="primary" lacking={lacking(RETRY_ROUTE)} onClick={() => setAct(retry)}>
          Retry
        </Button>
      )}
      {!ended && can('pause') && (
        <Button lacking={lacking('POST /v1/tasks/{uuid}/pause')} onClick={() => setAct(pause)}>
          Pause
        </Button>
      )}
      {!ended && can('resolve') && (
        <Button lacking={lacking('POST /v1/tasks/{uuid}/resolve')} onClick={() => setAct(resolve)}>
          Resolve
        </Button>
      )}
      {!ended && (
        <Button look="danger" lacking={lacking('DELETE /v1/tasks/{uuid}')} onClick={() => setAct(cancel)}>
          Cancel
        </Button>
      )}
      {act && <ActDialog act={act} onClose={() => setAct(undefined)} />}
    </div>
  );
}
