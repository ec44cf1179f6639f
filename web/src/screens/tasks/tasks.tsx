import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { items } from '../../../../src/client/pages.ts';
import { api } from '../../api/client.ts';
import { firstRows, LARGEST_PAGE } from '../../api/pages.ts';
import { usePrecaution } from '../../api/polling.ts';
import type { ListedTask, TaskPage } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { Button, Code, Empty, Heading } from '../../parts/controls.tsx';
import { MOST_ROWS } from '../../parts/download.ts';
import { ExportMenu } from '../../parts/export-menu.tsx';
import { TableFoot } from '../../parts/grid.tsx';
import { ReadProblem } from '../../parts/read-problem.tsx';
import { counted, countedBound } from '../../parts/words.ts';
import { ColumnMenu, chosenColumns } from './columns.tsx';
import { FilterBar, Segments } from './filter-bar.tsx';
import { chipsOf, queryOf, type TaskQuery } from './filters.ts';
import { TaskHistogram } from './histogram.tsx';
import { SavedViews } from './saved-views.tsx';
import { SelectionBar } from './selection-bar.tsx';
import { useStateCounts } from './state-counts.ts';
import { TaskTable } from './task-table.tsx';

const PAGE_SIZE = 50;
const NONE: ReadonlySet<string> = new Set();

/** The selected tasks, and the filter in which they were selected. */
interface Selection {
  filter: string;
  tasks: ReadonlySet<string> | 'all';
}

export default function Tasks() {
  const [search] = useSearchParams();
  const polling = usePrecaution();
  const [columns, setColumns] = useState(chosenColumns);
  const query = queryOf(search);
  const { cursor: _, ...filtering } = query;
  const [selection, setSelection] = useState<Selection>();
  const filter = JSON.stringify(filtering);
  // A selection does not survive another filter, because it would then contain tasks that are not shown.
  const selected = selection?.filter === filter ? selection.tasks : NONE;
  const select = (tasks: Selection['tasks']) => setSelection({ filter, tasks });
  const page = useQuery({
    queryKey: ['tasks', query],
    queryFn: ({ signal }) => api.tasks.list({ ...query, per_page: PAGE_SIZE }, { signal }),
    refetchInterval: polling,
    placeholderData: keepPreviousData,
  });
  const countOf = useStateCounts(query, page.isPlaceholderData ? undefined : page.data);
  const tasks = page.data?.tasks ?? [];
  // Hidden without data, for example if the server rejects the filter.
  const failed = page.error !== null && page.data === undefined;
  const filtered = chipsOf(search).length > 0 || search.has('state') || search.has('namespace');
  return (
    <>
      <Heading title="Tasks" answer={answerOf(page.data)}>
        <SavedViews />
      </Heading>
      <ReadProblem error={page.error} hasData={page.data !== undefined} />
      <Segments countOf={countOf} />
      <FilterBar />
      {(tasks.length > 0 || filtered) && !failed && <TaskHistogram query={query} />}
      <div className={`overflow-x-auto rounded-lg border border-line bg-surface ${failed ? 'hidden' : ''}`}>
        {tasks.length > 0 || page.isPending ? (
          <TaskTable tasks={tasks} columns={columns} selected={selected} onSelect={select} />
        ) : (
          <NoTasks filtered={filtered} />
        )}
        {tasks.length > 0 && (
          <TableFoot text={counted(tasks.length, 'row')}>
            <Pages page={page.data} />
            <ColumnMenu chosen={columns} onChoose={setColumns} />
            <ExportMenu name="Tasks" rows={tasks.map(exported)} all={allOf(page.data, search, filtering)} />
          </TableFoot>
        )}
      </div>
      {(selected === 'all' || selected.size > 0) && page.data && (
        <SelectionBar page={page.data} query={query} selected={selected} onSelect={select} />
      )}
    </>
  );
}

/** The list has no steps; see the page of a task. */
function exported({ steps: _, ...task }: ListedTask): object {
  return task;
}

function allOf(page: TaskPage | undefined, search: URLSearchParams, filter: TaskQuery) {
  if (!page?.pagination.next_cursor && !search.has('cursor')) return undefined;
  return async () => {
    const rows = items(async (cursor) => {
      const { tasks, pagination } = await api.tasks.list({ ...filter, cursor, limit: LARGEST_PAGE });
      return { items: tasks, next: pagination.next_cursor };
    });
    return (await firstRows(rows, MOST_ROWS)).map(exported);
  };
}

function answerOf(page: TaskPage | undefined): string | undefined {
  if (!page) return '\u00a0';
  const { total_count: total, total_is_exact: exact } = page.pagination;
  return countedBound(total, 'task', !exact);
}

function NoTasks({ filtered }: { filtered: boolean }) {
  const link = useLinks();
  const navigate = useNavigate();
  if (filtered) {
    return (
      <Empty title="No task matches">
        Remove a filter, or choose another state.
        <span className="mt-3 block">
          <Button onClick={() => void navigate(link('tasks'))}>Clear the filters</Button>
        </span>
      </Empty>
    );
  }
  return (
    <Empty title="No tasks yet">
      Create the first one from{' '}
      <Link className="text-accent hover:underline" to={link('templates')}>
        a template
      </Link>
      , or with <Code>npx tasker task create NAME --wait</Code>.
    </Empty>
  );
}

function Pages({ page }: { page: TaskPage | undefined }) {
  const [search, setSearch] = useSearchParams();
  const navigate = useNavigate();
  const { next_cursor: next, previous_cursor: previous } = page?.pagination ?? {};
  const first = !search.has('cursor');
  if (first && !next) return null;
  const go = (cursor: string | undefined) =>
    setSearch((now) => {
      if (cursor) now.set('cursor', cursor);
      else now.delete('cursor');
      return now;
    });
  const look = { look: 'quiet', className: 'h-7 px-2' } as const;
  return (
    <>
      <Button {...look} disabled={first} onClick={() => go(undefined)}>
        First
      </Button>
      <Button {...look} disabled={first} onClick={() => (previous ? go(previous) : void navigate(-1))}>
        Previous
      </Button>
      <Button {...look} disabled={!next} onClick={() => go(next ?? undefined)}>
        Next
      </Button>
    </>
  );
}
