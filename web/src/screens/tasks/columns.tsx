import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { ListedTask } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { Menu } from '../../parts/menu.tsx';
import { StateOfTask } from '../../parts/state.tsx';
import { Id, Time } from '../../parts/text.tsx';
import { durationText, timeOf } from '../../parts/words.ts';
import type { TaskQuery } from './filters.ts';

export interface TaskColumn {
  head: string;
  cell(task: ListedTask): ReactNode;
  kind?: 'num' | 'wide';
  /** The value of `sort` in the API. */
  sort?: TaskQuery['sort'];
  /** Also shown on a small screen. */
  small?: boolean;
  /** Shown unless the person chooses otherwise. */
  byDefault?: boolean;
  fixed?: boolean;
}

export const COLUMNS: readonly TaskColumn[] = [
  { head: 'State', small: true, byDefault: true, cell: (task) => <StateOfTask task={task} /> },
  { head: 'Task', small: true, byDefault: true, fixed: true, cell: (task) => <Name task={task} /> },
  { head: 'Id', byDefault: true, cell: ({ task_uuid }) => <Id id={task_uuid} what="task id" /> },
  {
    head: 'About',
    kind: 'wide',
    byDefault: true,
    cell: (task) => (
      <span className="text-soft" title={aboutOf(task)}>
        {aboutOf(task)}
      </span>
    ),
  },
  { head: 'Steps', byDefault: true, cell: (task) => <Progress task={task} /> },
  { head: 'Tags', cell: ({ tags }) => <span className="text-soft">{tags.join(', ')}</span> },
  { head: 'Initiator', cell: ({ initiator }) => <span className="text-soft">{initiator}</span> },
  { head: 'Source', cell: ({ source_system: source }) => <span className="text-soft">{source}</span> },
  { head: 'Priority', kind: 'num', cell: ({ priority }) => priority },
  { head: 'Duration', kind: 'num', cell: (task) => tookOf(task) },
  { head: 'Updated', kind: 'num', sort: 'updated', cell: ({ updated_at: at }) => <Soft at={at} /> },
  { head: 'Ended', kind: 'num', sort: 'ended', cell: ({ completed_at: at }) => <Soft at={at} /> },
  {
    head: 'Created',
    kind: 'num',
    sort: 'created',
    small: true,
    byDefault: true,
    cell: ({ created_at: at }) => <Soft at={at} />,
  },
];

const CHOICE = 'tasker.columns';

/** Returns the names of the columns that the person chose. */
export function chosenColumns(): ReadonlySet<string> {
  const stored = localStorage.getItem(CHOICE)?.split(',');
  const known = COLUMNS.filter(({ head, byDefault, fixed }) => fixed || (stored ? stored.includes(head) : byDefault));
  return new Set(known.map(({ head }) => head));
}

/** Chooses the columns of the table. They are kept in the browser. */
export function ColumnMenu({
  chosen,
  onChoose,
}: {
  chosen: ReadonlySet<string>;
  onChoose(chosen: ReadonlySet<string>): void;
}) {
  const toggle = (head: string) => {
    const next = new Set(chosen);
    if (!next.delete(head)) next.add(head);
    localStorage.setItem(CHOICE, [...next].join(','));
    onChoose(next);
  };
  return (
    <Menu label="Columns" name="Columns" look="quiet" small>
      {COLUMNS.filter(({ fixed }) => !fixed).map(({ head }) => (
        <label key={head} className="flex h-8 cursor-pointer items-center gap-2 rounded-md px-2.5 hover:bg-hover">
          <input type="checkbox" checked={chosen.has(head)} onChange={() => toggle(head)} />
          {head}
        </label>
      ))}
    </Menu>
  );
}

function Soft({ at }: { at: string | null }) {
  return (
    <span className="text-soft">
      <Time at={at} />
    </span>
  );
}

function Name({ task }: { task: ListedTask }) {
  const link = useLinks();
  return (
    <>
      <Link to={link(`tasks/${task.task_uuid}`)} className="font-medium hover:text-accent hover:underline">
        <span className="font-normal text-faint max-sm:hidden">{task.namespace}/</span>
        {task.name}
      </Link>
      <span className="ml-1.5 text-xs text-faint max-sm:hidden">{task.version}</span>
    </>
  );
}

function tookOf({ created_at: from, completed_at: to }: ListedTask): ReactNode {
  if (to === null) return <span className="text-faint">–</span>;
  return durationText(timeOf(to).getTime() - timeOf(from).getTime());
}

/** Returns what distinguishes a task: its error, its context, or its tags. */
function aboutOf(task: ListedTask): string {
  const message = task.first_error?.message;
  if (message) return message;
  const context = Object.entries(task.context)
    .filter(([, value]) => typeof value === 'string' || typeof value === 'number')
    .slice(0, 3)
    .map(([name, value]) => `${name} ${value}`);
  return context.length > 0 ? context.join(' · ') : task.tags.join(', ');
}

function Progress({ task }: { task: ListedTask }) {
  const { completed_steps: done, skipped_steps: skipped, failed_steps: failed, total_steps: total } = task;
  const parts = [`${done} of ${total} steps are complete`, skipped > 0 ? `${skipped} skipped` : [], `${failed} failed`];
  const share = (count: number) => `${total === 0 ? 0 : (count / total) * 100}%`;
  return (
    <span className="inline-flex items-center gap-2" title={parts.flat().join(', ')}>
      <span className="flex h-1 w-16 overflow-hidden rounded-full bg-line">
        <span className="bg-s-green" style={{ width: share(done) }} />
        <span className="bg-s-red" style={{ width: share(failed) }} />
        <span className="bg-faint opacity-40" style={{ width: share(skipped) }} />
      </span>
      <span className="text-xs text-faint tabular-nums">
        {done}/{total}
      </span>
    </span>
  );
}
