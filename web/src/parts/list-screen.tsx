import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import type { CallOptions } from '../../../src/client/client-options.ts';
import { items } from '../../../src/client/pages.ts';
import { firstRows, LARGEST_PAGE } from '../api/pages.ts';
import { usePolling } from '../api/polling.ts';
import { type Method, routeOf } from '../api/routes.ts';
import { Button, Empty, Heading, Panel } from './controls.tsx';
import { MOST_ROWS } from './download.ts';
import { type Column, Grid } from './grid.tsx';
import { ReadProblem } from './read-problem.tsx';

/** The names of the lists in a response. */
type ListsOf<Answer> = { [Name in keyof Answer]: Answer[Name] extends readonly object[] ? Name : never }[keyof Answer];
type RowOf<Answer, Name extends keyof Answer> = Answer[Name] extends readonly (infer Row extends object)[]
  ? Row
  : never;

/** A list of the API: a method that returns it, its name in the response, and the query. */
interface ListSource<Query, Answer extends object, Name extends ListsOf<Answer>> {
  method: Method & ((query: Query, options: CallOptions) => Promise<Answer>);
  rows: Name;
  query: NoInfer<Query>;
}

interface ListScreenProps<Query, Answer extends object, Name extends ListsOf<Answer>>
  extends ListSource<Query, Answer, Name> {
  title: string;
  /** Which of the rows are shown. Default: all. */
  isShown?(row: RowOf<Answer, Name>): boolean;
  columns: readonly Column<RowOf<Answer, Name>>[];
  keyOf(row: RowOf<Answer, Name>): string;
  /** The summary below the heading of the screen. */
  answer(rows: readonly RowOf<Answer, Name>[]): string;
  empty: { title: string; next: ReactNode };
  /** Actions of the screen. */
  acts?: ReactNode;
}

const LIST_MS = 5_000;

/** A list of the server. */
export interface List<Row> {
  rows: Row[] | undefined;
  error: Error | null;
  /** The cursor of the next page. */
  next: string | null;
  /** Loads the rows of all pages. Undefined if this is the only page. */
  all: (() => Promise<Row[]>) | undefined;
}

interface Paging {
  cursor?: string | undefined;
  next_cursor?: string | null;
}

/** Reads a list of the server and keeps it up to date. A `cursor` in the query selects the page. */
export function useList<Query extends object | undefined, Answer extends object, Name extends ListsOf<Answer>>({
  method,
  rows: name,
  query,
}: ListSource<Query, Answer, Name>): List<RowOf<Answer, Name>> {
  type Row = RowOf<Answer, Name>;
  const { data, error } = useQuery({
    queryKey: ['list', routeOf(method), query],
    queryFn: ({ signal }) => method(query, { signal }),
    refetchInterval: usePolling(LIST_MS),
    placeholderData: keepPreviousData,
  });
  const rowsOf = (answer: Answer) => answer[name] as Row[];
  const nextOf = (answer: Answer | undefined) => (answer as Paging | undefined)?.next_cursor ?? null;
  const read = async (cursor: string | undefined) => {
    const answer = await method({ ...query, cursor, limit: LARGEST_PAGE }, {});
    return { items: rowsOf(answer), next: nextOf(answer) };
  };
  const paged = nextOf(data) !== null || (query as Paging | undefined)?.cursor !== undefined;
  return {
    rows: data && rowsOf(data),
    error,
    next: nextOf(data),
    all: paged ? () => firstRows(items(read), MOST_ROWS) : undefined,
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
export function ListScreen<Query extends object | undefined, Answer extends object, Name extends ListsOf<Answer>>({
  title,
  isShown = () => true,
  columns,
  keyOf,
  answer,
  empty,
  acts,
  query,
  ...source
}: ListScreenProps<Query, Answer, Name>) {
  const cursor = useSearchParams()[0].get('cursor') ?? undefined;
  const list = useList({ ...source, query: { ...query, cursor } });
  const rows = list.rows?.filter(isShown);
  const { all } = list;
  return (
    <>
      <Heading title={title} answer={rows ? answer(rows) : '\u00a0'}>
        {acts}
      </Heading>
      <ReadProblem error={list.error} hasData={rows !== undefined} />
      {rows && (
        <Panel>
          {rows.length > 0 ? (
            <Grid
              name={title}
              columns={columns}
              rows={rows}
              keyOf={keyOf}
              all={all && (async () => (await all()).filter(isShown))}
              pages={<Pages next={list.next} />}
            />
          ) : (
            <Empty title={empty.title}>{empty.next}</Empty>
          )}
        </Panel>
      )}
    </>
  );
}
