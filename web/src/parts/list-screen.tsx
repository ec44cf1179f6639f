import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ask, type Query, rowsOf } from '../api/client.ts';
import { usePolling } from '../api/polling.ts';
import { useRoutes } from '../api/routes.ts';
import { useNamespace } from '../frame/namespace.ts';
import { Empty, Heading, Panel, Problem } from './controls.tsx';
import { type Column, Grid } from './grid.tsx';

interface ListScreenProps<Row> {
  title: string;
  /** The route, such as `/v1/workers`. */
  path: string;
  /** The name of the list in the answer. */
  rows: string;
  query?: Query;
  columns: readonly Column<Row>[];
  keyOf(row: Row): string;
  /** The answer to the question of the screen. */
  answer(rows: readonly Row[]): string;
  empty: { title: string; next: ReactNode };
  /** Acts of the screen. */
  acts?: ReactNode;
}

const LIST_MS = 5_000;

/** Reads a list of the server and keeps it up to date. `served` is false if the server has no such route. */
export function useList<Row>(path: string, name: string, query: Query = {}) {
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
  return { rows: list.data === undefined ? undefined : rowsOf<Row>(list.data, name), error: list.error, served };
}

/** A screen that is one table. */
export function ListScreen<Row>({
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
  const { rows, error, served } = useList<Row>(path, name, query);
  return (
    <>
      <Heading title={title} answer={rows ? answer(rows) : '\u00a0'}>
        {acts}
      </Heading>
      {error && !rows && <Problem error={error} />}
      {rows && (
        <Panel>
          {rows.length > 0 ? (
            <Grid name={title} columns={columns} rows={rows} keyOf={keyOf} />
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
