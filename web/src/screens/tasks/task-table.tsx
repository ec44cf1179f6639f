import { Link } from 'react-router';
import type { Task } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { State } from '../../parts/state.tsx';
import { Id, Time } from '../../parts/text.tsx';

interface TaskTableProps {
  tasks: readonly (Task & { first_error?: unknown })[];
  selected: ReadonlySet<string>;
  onSelect(selected: ReadonlySet<string>): void;
}

export function TaskTable({ tasks, selected, onSelect }: TaskTableProps) {
  const all = tasks.length > 0 && tasks.every(({ task_uuid }) => selected.has(task_uuid));
  const toggle = (uuid: string) => {
    const next = new Set(selected);
    if (!next.delete(uuid)) next.add(uuid);
    onSelect(next);
  };
  return (
    <table className="grid-table" aria-label="Tasks">
      <thead>
        <tr>
          <th scope="col" className="w-8 !pr-0">
            <input
              type="checkbox"
              aria-label="Select all tasks of this page"
              checked={all}
              onChange={() => onSelect(new Set(all ? [] : tasks.map(({ task_uuid }) => task_uuid)))}
            />
          </th>
          <th scope="col">State</th>
          <th scope="col">Task</th>
          <th scope="col" className="max-sm:hidden">
            Id
          </th>
          <th scope="col" className="max-sm:hidden">
            About
          </th>
          <th scope="col" className="max-sm:hidden">
            Steps
          </th>
          <th scope="col" className="num">
            Created
          </th>
        </tr>
      </thead>
      <tbody>
        {tasks.map((task) => (
          <Row key={task.task_uuid} task={task} selected={selected.has(task.task_uuid)} onToggle={toggle} />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  task: Task & { first_error?: unknown };
  selected: boolean;
  onToggle(uuid: string): void;
}

function Row({ task, selected, onToggle }: RowProps) {
  const link = useLinks();
  return (
    <tr aria-selected={selected}>
      <td className="!pr-0">
        <input
          type="checkbox"
          aria-label={`Select task ${task.task_uuid}`}
          checked={selected}
          onChange={() => onToggle(task.task_uuid)}
        />
      </td>
      <td>
        <State state={task.status} />
      </td>
      <td>
        <Link to={link(`tasks/${task.task_uuid}`)} className="font-medium hover:text-accent hover:underline">
          <span className="font-normal text-faint max-sm:hidden">{task.namespace}/</span>
          {task.name}
        </Link>
        <span className="ml-1.5 text-xs text-faint">{task.version}</span>
      </td>
      <td className="max-sm:hidden">
        <Id id={task.task_uuid} what="task id" />
      </td>
      <td className="wide text-soft max-sm:hidden">{aboutOf(task)}</td>
      <td className="max-sm:hidden">
        <Progress task={task} />
      </td>
      <td className="num text-soft">
        <Time at={task.created_at} />
      </td>
    </tr>
  );
}

/** Returns what distinguishes a task: its error, its tags, or its context. */
function aboutOf(task: RowProps['task']): string {
  const error = task.first_error as { error?: string; message?: string } | string | null | undefined;
  const message = typeof error === 'string' ? error : (error?.message ?? error?.error);
  if (message) return message;
  if (task.tags.length > 0) return task.tags.join(', ');
  const context = task.context as Record<string, unknown> | null;
  return Object.entries(context ?? {})
    .filter(([, value]) => typeof value === 'string' || typeof value === 'number')
    .slice(0, 3)
    .map(([name, value]) => `${name} ${value}`)
    .join(' · ');
}

function Progress({ task }: { task: Task }) {
  const { completed_steps: done, failed_steps: failed, total_steps: total } = task;
  const share = (count: number) => `${total === 0 ? 0 : (count / total) * 100}%`;
  return (
    <span className="inline-flex items-center gap-2" title={`${done} of ${total} steps are complete, ${failed} failed`}>
      <span className="flex h-1 w-16 overflow-hidden rounded-full bg-line">
        <span className="bg-s-green" style={{ width: share(done) }} />
        <span className="bg-s-red" style={{ width: share(failed) }} />
      </span>
      <span className="text-xs text-faint tabular-nums">
        {done}/{total}
      </span>
    </span>
  );
}
