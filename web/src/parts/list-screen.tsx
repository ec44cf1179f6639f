import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import { ask, type Query, rowsOf } from '../api/client.ts';
import { allPages } from '../api/pages.ts';
import { usePolling } from '../api/polling.ts';
import { useRoutes } from '../api/routes.ts';
import { useNamespace } from '../frame/namespace.ts';
import { Button, Empty, Heading, Panel } from './controls.tsx';
import { MOST_ROWS } from './download.ts';
import { type Column, Grid } from './grid.tsx';
import { ReadProblem } from './read-problem.tsx';

interface ListScreenProps<Row> {
  title: string;
  /** The route, such as `/v1/workers`. */
  path: string;
  /** The name of the list in the response. */
  rows: string;
  query?: Query;
  columns: readonly Column<Row>[];
  keyOf(row: Row): string;
  /** The summary below the heading of the screen. */
  answer(rows: readonly Row[]): string;
  empty: { title: string; next: ReactNode };
  /** Actions of the screen. */
  acts?: ReactNode;
}

const LIST_MS = 5_000;

/** A list of the server. */
export interface List<Row> {
  rows: Row[] | undefined;
  error: Error | null;
  /** False if the server has no such route. */
  served: boolean | undefined;
  /** The cursor of the next page. */
  next: string | null;
  /** Loads the rows of all pages. Undefined if this is the only page. */
  all: (() => Promise<object[]>) | undefined;
}

/** Reads a list of the server and keeps it up to date. A `cursor` in the query selects the page. */
export function useList<Row>(path: string, name: string, query: Query = {}): List<Row> {
  const routes = useRoutes();
  const namespace = useNamespace();
  const served = routes?.has(`GET ${path}`);
  const sent = { namespace, ...query };
  const list = useQuery({
    queryKey: ['list', path, sent],
    queryFn: ({ signal }) => ask<unknown>(path, { query: sent, signal }),
    enabled: served === true,
    refetchInterval: usePolling(LIST_MS),
    placeholderData: keepPreviousData,
  });
  const next = (list.data as { next_cursor?: string | null } | undefined)?.next_cursor ?? null;
  const paged = next !== null || query.cursor !== undefined;
  return {
    rows: list.data === undefined ? undefined : rowsOf<Row>(list.data, name),
    error: list.error,
    served,
    next,
    all: paged ? () => allPages(path, name, sent, MOST_ROWS) : undefined,
  };
}

/** The paging buttons of a list with a cursor. The cursor is part of the address, so that Back works. */
export function Pages({ next }: { next: string | null }) {
  const [search, setSearch] = useSearchParams();
  const first = !search.has('cursor');
  if (first && next === null) return null;
  const go = (cursor: string | undefined) =>
    setSearch((now) => {
      if (cursor) now.set('cursor', cursor);
      else now.delete('cursor');
      return now;
    });
  return (
    <>
      <Button look="quiet" className="h-7 px-2" disabled={first} onClick={() => go(undefined)}>
        First page
      </Button>
      <Button look="quiet" className="h-7 px-2" disabled={next === null} onClick={() => go(next ?? undefined)}>
        Next page
      </Button>
    </>
  );
}

/** A screen that is one table. */
export function ListScreen<Row extends object>({
  title,
  path,
  rows: name,
  query,
  columns,
  keyOf,
  answer,
  empty,
  acts,
}: ListScreenProps<Row>) {
  const cursor = useSearchParams()[0].get('cursor') ?? undefined;
  const { rows, error, served, next, all } = useList<Row>(path, name, { ...query, cursor });
  return (
    <>
      <Heading title={title} answer={rows ? answer(rows) : '\u00a0'}>
        {acts}
      </Heading>
      <ReadProblem error={error} hasData={rows !== undefined} />
      {rows && (
        <Panel>
          {rows.length > 0 ? (
            <Grid name={title} columns={columns} rows={rows} keyOf={keyOf} all={all} pages={<Pages next={next} />} />
          ) : (
            <Empty title={empty.title}>{empty.next}</Empty>
          )}
        </Panel>
      )}
      {served === false && (
        <Panel>
          <Empty title={empty.title}>{empty.next}</Empty>
        </Panel>
      )}
    </>
  );
}
