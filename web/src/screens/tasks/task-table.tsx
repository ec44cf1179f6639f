import { useSearchParams } from 'react-router';
import type { ListedTask } from '../../api/types.ts';
import { COLUMNS, type TaskColumn } from './columns.tsx';

interface TaskTableProps {
  tasks: readonly ListedTask[];
  columns: ReadonlySet<string>;
  /** The selected tasks, or all tasks that match. */
  selected: ReadonlySet<string> | 'all';
  onSelect(selected: ReadonlySet<string>): void;
}

export function TaskTable({ tasks, columns, selected, onSelect }: TaskTableProps) {
  const shown = COLUMNS.filter(({ head }) => columns.has(head));
  const isSelected = (uuid: string) => selected === 'all' || selected.has(uuid);
  const some = tasks.some(({ task_uuid }) => isSelected(task_uuid));
  const all = tasks.length > 0 && tasks.every(({ task_uuid }) => isSelected(task_uuid));
  const set = (uuids: readonly string[], on: boolean) => {
    const next = new Set(selected === 'all' ? tasks.map(({ task_uuid }) => task_uuid) : selected);
    for (const uuid of uuids) {
      if (on) next.add(uuid);
      else next.delete(uuid);
    }
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
              ref={(box) => {
                if (box) box.indeterminate = some && !all;
              }}
              checked={all}
              disabled={tasks.length === 0}
              onChange={() =>
                set(
                  tasks.map(({ task_uuid }) => task_uuid),
                  !all,
                )
              }
            />
          </th>
          {shown.map((column) => (
            <Head key={column.head} column={column} />
          ))}
        </tr>
      </thead>
      <tbody>
        {tasks.map((task) => (
          <tr key={task.task_uuid} aria-selected={isSelected(task.task_uuid)}>
            <td className="!pr-0">
              <input
                type="checkbox"
                aria-label={`Select task ${task.task_uuid}`}
                checked={isSelected(task.task_uuid)}
                onChange={() => set([task.task_uuid], !isSelected(task.task_uuid))}
              />
            </td>
            {shown.map(({ head, cell, kind = '', small }) => (
              <td key={head} className={`${kind} ${small ? '' : 'max-sm:hidden'}`}>
                {cell(task)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The head of a column. It is a button if the API can sort by the column. */
function Head({ column: { head, kind, sort, small } }: { column: TaskColumn }) {
  const [search, setSearch] = useSearchParams();
  const current = (search.get('sort') ?? 'created') === sort;
  const ascending = current && search.get('order') === 'asc';
  const turn = () =>
    setSearch((now) => {
      now.delete('cursor');
      now.delete('order');
      if (sort === undefined || sort === 'created') now.delete('sort');
      else now.set('sort', sort);
      if (current && !ascending) now.set('order', 'asc');
      return now;
    });
  return (
    <th
      scope="col"
      className={`${kind === 'num' ? 'num' : ''} ${small ? '' : 'max-sm:hidden'}`}
      aria-sort={current ? (ascending ? 'ascending' : 'descending') : undefined}
    >
      {sort === undefined ? (
        head
      ) : (
        <button type="button" className={`rounded-sm hover:text-ink ${current ? 'text-ink' : ''}`} onClick={turn}>
          {head}
          <span aria-hidden="true" className="ml-1 inline-block w-2">
            {current ? (ascending ? '↑' : '↓') : ''}
          </span>
        </button>
      )}
    </th>
  );
}
