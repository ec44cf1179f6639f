import { Link } from 'react-router';
import { api } from '../../api/client.ts';
import type { Task, TaskFamily } from '../../api/types.ts';
import { State } from '../../parts/state.tsx';
import { Time } from '../../parts/text.tsx';
import { countedBound } from '../../parts/words.ts';
import { partQuery, useTaskPart } from './use-task.ts';

/** Reads the parent and the child tasks of a task. Undefined until they are loaded. */
export function useFamily({ task_uuid: uuid }: Pick<Task, 'task_uuid'>, enabled = true): TaskFamily | undefined {
  return useTaskPart(
    partQuery(uuid, 'children', (options) => api.tasks.children(uuid, options)),
    enabled,
  ).data;
}

/** The task and the step that started this task. */
export function ParentLink({ parent }: { parent: NonNullable<TaskFamily['parent']> }) {
  return (
    <Link
      to={`/tasks/${parent.task_uuid}?${new URLSearchParams({ step: parent.step })}`}
      className="hover:text-accent hover:underline"
    >
      {parent.name}, step {parent.step}
    </Link>
  );
}

/** Maximum number of child tasks that the server lists. */
const MOST_LISTED = 100;

/** Returns how many child tasks are listed, and how many of all are open. */
export function childrenText({ children, open_children: open }: TaskFamily): string {
  const listed = countedBound(children.length, 'child task', children.length >= MOST_LISTED);
  return open === 0 ? listed : `${listed}, ${open} open`;
}

/** The child tasks that a step has started, newest first. A child of a handler shows its key. */
export function ChildTasks({ task, step }: { task: Task; step: string }) {
  const family = useFamily(task);
  const children = family?.children.filter((child) => child.step === step) ?? [];
  if (children.length === 0) return null;
  return (
    <section aria-label="Child tasks" className="border-b border-line px-4 py-3 text-sm">
      <h3 className="mb-1 font-medium">{children.length === 1 ? 'Child task' : 'Child tasks'}</h3>
      <ul className="flex flex-col gap-1">
        {children.map(({ task_uuid: uuid, namespace, name, version, status, created_at: at, key }) => (
          <li key={uuid} className="flex flex-wrap items-baseline gap-x-3">
            <Link to={`/tasks/${uuid}`} className="min-w-0 break-words text-accent hover:underline">
              {namespace === task.namespace ? name : `${namespace}/${name}`} {version}
            </Link>
            <State state={status} />
            {key !== null && <span className="min-w-0 break-all text-soft">{key}</span>}
            <span className="text-soft">
              <Time at={at} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
