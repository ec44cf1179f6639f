import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { ask } from '../../api/client.ts';
import { usePolling, usePrecaution } from '../../api/polling.ts';
import { useRoutes } from '../../api/routes.ts';
import type { Summary, TaskPage } from '../../api/types.ts';
import { Button, Code, Empty, Heading, Problem } from '../../parts/controls.tsx';
import { counted, numberText } from '../../parts/words.ts';
import { FilterBar, Segments } from './filter-bar.tsx';
import { chipsOf, queryOf } from './filters.ts';
import { SelectionBar } from './selection-bar.tsx';
import { TaskTable } from './task-table.tsx';

const PAGE_SIZE = 50;
const SUMMARY_MS = 10_000;

export default function Tasks() {
  const [search] = useSearchParams();
  const routes = useRoutes();
  const polling = usePrecaution();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const query = queryOf(search);
  const page = useQuery({
    queryKey: ['tasks', query],
    queryFn: ({ signal }) => ask<TaskPage>('v1/tasks', { query: { ...query, per_page: PAGE_SIZE }, signal }),
    refetchInterval: polling,
    placeholderData: keepPreviousData,
  });
  const { namespace } = query;
  const summary = useQuery({
    queryKey: ['summary', namespace],
    queryFn: ({ signal }) => ask<Summary>('v1/summary', { query: { namespace }, signal }),
    enabled: routes?.has('GET /v1/summary') ?? false,
    refetchInterval: usePolling(SUMMARY_MS),
    placeholderData: keepPreviousData,
  });
  const tasks = page.data?.tasks ?? [];
  return (
    <>
      <Heading title="Tasks" answer={answerOf(page.data)} />
      {page.error && !page.data && <Problem error={page.error} />}
      <Segments counts={summary.data?.states} />
      <FilterBar routes={routes} />
      <div className="overflow-x-auto rounded-lg border border-line bg-surface">
        {tasks.length > 0 || page.isPending ? (
          <TaskTable tasks={tasks} selected={selected} onSelect={setSelected} />
        ) : (
          <NoTasks filtered={chipsOf(search).length > 0 || search.has('state') || search.has('namespace')} />
        )}
      </div>
      <Pages page={page.data} />
      {selected.size > 0 && routes && (
        <SelectionBar
          tasks={tasks.filter(({ task_uuid }) => selected.has(task_uuid))}
          onClear={() => setSelected(new Set())}
        />
      )}
    </>
  );
}

function answerOf(page: TaskPage | undefined): string | undefined {
  if (!page?.pagination) return '\u00a0';
  const { total_count: total, total_is_exact: exact = true } = page.pagination;
  return exact ? counted(total, 'task') : `more than ${numberText(total)} tasks`;
}

function NoTasks({ filtered }: { filtered: boolean }) {
  if (filtered) return <Empty title="No task matches">Remove a filter, or choose another state.</Empty>;
  return (
    <Empty title="No tasks yet">
      Create the first one with <Code>npx tasker task create NAME --wait</Code>, or start from a template.
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
  return (
    <div className="mt-3 flex justify-end gap-2">
      {!first && (
        <Button look="quiet" onClick={() => go(undefined)}>
          Newest
        </Button>
      )}
      <Button disabled={first} onClick={() => (previous ? go(previous) : void navigate(-1))}>
        Newer
      </Button>
      <Button disabled={!next} onClick={() => go(next ?? undefined)}>
        Older
      </Button>
    </div>
  );
}
