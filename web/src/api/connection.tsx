import { useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import { ApiError } from './client.ts';

interface Connection {
  /** The reason why the page gets no data. Undefined if it gets data. */
  problem: string | undefined;
  /** When the page last got data. */
  last: Date | undefined;
}

const ConnectionContext = createContext<Connection>({ problem: undefined, last: undefined });

const NO_ANSWER = 0;
/** Statuses of a proxy without its server, or of a server without its database. */
const AWAY = new Set([NO_ANSWER, 502, 503, 504]);

/** Tracks whether the server responds, and repeats failed reads when it responds again. */
export function ConnectionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [connection, setConnection] = useState<Connection>({ problem: undefined, last: undefined });
  useEffect(() => {
    const failing = new Map<string, ApiError>();
    let problem: string | undefined;
    const show = (last?: Date) => {
      const before = problem;
      problem = problemOf([...failing.values()].at(-1));
      setConnection((now) => ({ problem, last: last ?? now.last }));
      if (before !== undefined && problem === undefined) {
        void queries.refetchQueries({ type: 'active', predicate: ({ state }) => state.status === 'error' });
      }
    };
    return queries.getQueryCache().subscribe(({ type, query, ...event }) => {
      const { queryHash: id } = query;
      const action = 'action' in event ? (event.action as { type: string; error?: unknown }) : undefined;
      if (type === 'updated' && action?.type === 'success') {
        failing.delete(id);
        // One response shows that the server is up.
        for (const [other, { status }] of failing) if (status === NO_ANSWER) failing.delete(other);
        show(new Date());
      } else if (type === 'updated' && action?.type === 'error') {
        const { error } = action;
        failing.delete(id);
        if (error instanceof ApiError && isAway(error)) failing.set(id, error);
        show();
      } else if (type === 'removed' || (type === 'observerRemoved' && query.getObserversCount() === 0)) {
        // No screen uses this query any longer.
        if (failing.delete(id)) show();
      }
    });
  }, [queries]);
  return <ConnectionContext value={connection}>{children}</ConnectionContext>;
}

/** Returns whether an error is shown by the banner of the page. */
export function isAway(error: Error): boolean {
  return error instanceof ApiError && AWAY.has(error.status);
}

function problemOf(error: ApiError | undefined): string | undefined {
  if (!error) return undefined;
  if (error.status === NO_ANSWER) return 'The server does not answer';
  return `The server has no data: ${error.message}`;
}

/** Returns whether the server responds. */
export function useConnection(): Connection {
  return useContext(ConnectionContext);
}
