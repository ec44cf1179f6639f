import { type ReactNode, useState } from 'react';
import { Link } from 'react-router';
import { api } from '../../api/client.ts';
import { useNow } from '../../api/live.tsx';
import { useLacking } from '../../api/me.tsx';
import type { Task } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { useOfferedActs } from '../../frame/page-acts.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { type Act, ActDialog } from '../../parts/act-dialog.tsx';
import { Button, useTitle } from '../../parts/controls.tsx';
import { downloadJson } from '../../parts/download.ts';
import { StateOfTask, taskStateText } from '../../parts/state.tsx';
import { Id, Time } from '../../parts/text.tsx';
import { durationText, timeOf } from '../../parts/words.ts';
import { addressOfTemplate } from '../template/use-template.ts';
import { CopyDialog } from './copy-dialog.tsx';
import { childrenText, ParentLink, useFamily } from './family.tsx';
import { Stuck } from './stuck.tsx';
import { hasEnded } from './task-words.ts';
import { UndoDialog } from './undo-dialog.tsx';
import { partQuery, type TaskData, useTaskPart } from './use-task.ts';

export function TaskHeader({ data, onSelect }: { data: TaskData; onSelect(step: string): void }) {
  const { task } = data;
  const family = useFamily(task);
  const link = useLinks();
  const now = useNow();
  useTitle(`${task.name}, ${taskStateText(task).toLowerCase()}`);
  const ended = hasEnded(task.status);
  const until = ended && task.completed_at ? timeOf(task.completed_at) : now;
  return (
    <header className="mb-4">
      <p className="mb-1 text-sm text-faint">
        <Link to={link('tasks')} className="hover:text-ink hover:underline">
          Tasks
        </Link>{' '}
        /{' '}
        <Link
          to={`/tasks?${new URLSearchParams({ namespace: task.namespace })}`}
          className="hover:text-ink hover:underline"
        >
          {task.namespace}
        </Link>
      </p>
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <h1 className="text-xl leading-7 font-semibold tracking-tight">{task.name}</h1>
          <Link to={link(addressOfTemplate(task))} className="text-sm text-soft hover:text-ink hover:underline">
            {task.version}
          </Link>
          <span aria-live="polite" className="font-medium">
            <StateOfTask task={task} />
          </span>
        </div>
        <TaskActs task={task} undoable={canBeUndone(data)} />
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
          {task.skipped_steps > 0 && `, ${task.skipped_steps} skipped`}
        </Fact>
        {family?.parent && (
          <Fact name="Parent">
            <ParentLink parent={family.parent} />
          </Fact>
        )}
        {family && family.children.length > 0 && <Fact name="Started">{childrenText(family)}</Fact>}
        <LastBulk uuid={task.task_uuid} />
        {task.copy_of && (
          <Fact name="Copy of">
            <FactLink to={link(`tasks/${task.copy_of}`)}>another task</FactLink>,{' '}
            <FactLink to={link('tasks/compare', { one: task.copy_of, other: task.task_uuid })}>compare</FactLink>
          </Fact>
        )}
        {task.priority !== 0 && <Fact name="Priority">{task.priority}</Fact>}
        {task.initiator && (
          <Fact name="By">
            <FactLink to={link('tasks', { initiator: task.initiator })}>{task.initiator}</FactLink>
          </Fact>
        )}
        {task.tags.length > 0 && (
          <Fact name="Tags">
            <span className="inline-flex flex-wrap gap-x-2">
              {task.tags.map((tag) => (
                <FactLink key={tag} to={link('tasks', { tag })}>
                  {tag}
                </FactLink>
              ))}
            </span>
          </Fact>
        )}
      </dl>
      <Stuck data={data} onSelect={onSelect} />
    </header>
  );
}

const MOST_ACTS = 100;

/** The last bulk action on the task, with the other tasks that it was for. */
function LastBulk({ uuid }: { uuid: string }) {
  const link = useLinks();
  const lacking = useLacking()(api.audit.list);
  const { data } = useTaskPart(
    partQuery(uuid, 'audit', (options) => api.audit.list({ task: uuid, limit: MOST_ACTS }, options)),
    lacking === undefined,
  );
  const last = data?.entries.find(({ bulk_id: bulk }) => bulk !== null);
  if (!last) return null;
  const { bulk_id: bulk, action, actor } = last;
  return (
    <Fact name="Bulk action">
      <FactLink to={link('audit', { view: 'acts', bulk: String(bulk) })}>
        {`${action.replaceAll('_', ' ')} by ${actor}`}
      </FactLink>
    </Fact>
  );
}

function FactLink({ to, children }: { to: string; children: string }) {
  return (
    <Link to={to} className="hover:text-accent hover:underline">
      {children}
    </Link>
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

/** Returns whether the template has an undo, and the task was not undone yet. */
function canBeUndone({ task, shape }: TaskData): boolean {
  if (task.status === 'undoing' || task.status === 'undone') return false;
  const isHalfUndone = !hasEnded(task.status) && shape.groups.some(({ name }) => name.startsWith('undo:'));
  return !isHalfUndone && shape.groups.some(({ undo }) => undo !== null);
}

/** The actions on the task. The action that would help a stuck task is next to the reason below. */
function TaskActs({ task, undoable }: { task: Task; undoable: boolean }) {
  const [act, setAct] = useState<Act>();
  const [copying, setCopying] = useState(false);
  const [undoing, setUndoing] = useState(false);
  const lacking = useLacking();
  const { task_uuid: uuid } = task;
  const isPaused = task.paused?.some(({ scope }) => scope === 'task') ?? false;
  const acts = hasEnded(task.status)
    ? []
    : [
        ...(isPaused ? [] : [{ name: 'Pause', method: api.tasks.pause, act: pauseOf(uuid) }]),
        { name: 'Resolve', method: api.tasks.resolve, act: resolveOf(uuid) },
        { name: 'Cancel', method: api.tasks.cancel, act: cancelOf(uuid), look: 'danger' as const },
      ];
  useOfferedActs([
    ...acts.map(({ method, act: one }) => ({ name: one.title, method, run: () => setAct(one) })),
    { name: 'Create a copy of the task', method: api.tasks.copy, run: () => setCopying(true) },
    ...(undoable ? [{ name: 'Undo the task', method: api.tasks.undo, run: () => setUndoing(true) }] : []),
  ]);
  return (
    <div className="flex flex-wrap gap-2">
      <ExportButton task={task} />
      <ActButton method={api.tasks.copy} onClick={() => setCopying(true)}>
        Create a copy
      </ActButton>
      {undoable && (
        <ActButton method={api.tasks.undo} onClick={() => setUndoing(true)}>
          Undo
        </ActButton>
      )}
      {acts.map(({ name, method, act: one, ...look }) => (
        <Button key={name} {...look} lacking={lacking(method)} onClick={() => setAct(one)}>
          {name}
        </Button>
      ))}
      {act && <ActDialog act={act} onClose={() => setAct(undefined)} />}
      {undoing && <UndoDialog uuid={uuid} onClose={() => setUndoing(false)} />}
      {copying && <CopyDialog task={task} onClose={() => setCopying(false)} />}
    </div>
  );
}

/** Saves the task with its steps, history, events and audit as a file, for a bug report. */
function ExportButton({ task }: { task: Task }) {
  const [state, setState] = useState<'loading' | 'failed'>();
  const save = async () => {
    setState('loading');
    try {
      downloadJson(`task ${task.name} ${task.task_uuid}`, await api.tasks.export(task.task_uuid));
      setState(undefined);
    } catch {
      setState('failed');
    }
  };
  return (
    <Button
      look="quiet"
      title="As one JSON document, for a bug report"
      disabled={state === 'loading'}
      onClick={() => void save()}
    >
      {state === 'loading' ? 'Exporting…' : state === 'failed' ? 'Export failed' : 'Export the task'}
    </Button>
  );
}

function pauseOf(uuid: string): Act {
  return {
    title: 'Pause the task',
    verb: 'Pause the task',
    preview: 'Running steps finish. No other step starts until the task is resumed.',
    run: (said) => api.tasks.pause(uuid, said),
  };
}

function resolveOf(uuid: string): Act {
  return {
    title: 'Resolve the task',
    verb: 'Resolve the task',
    preview:
      'The task ends as resolved by hand, and its open steps are cancelled. Use it when the work was done elsewhere.',
    needsReason: true,
    run: (said) => api.tasks.resolve(uuid, said),
  };
}

function cancelOf(uuid: string): Act {
  return {
    title: 'Cancel the task',
    verb: 'Cancel the task',
    preview: 'The open steps of the task are cancelled. Running steps finish, but their results are rejected.',
    danger: true,
    run: (said) => api.tasks.cancel(uuid, said),
  };
}
