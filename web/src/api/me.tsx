import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect } from 'react';
import { ApiError, api } from './client.ts';
import { type Method, type OtherRoute, RETRY_MS, useRoutes, useRoutesQuery } from './routes.ts';
import type { Me } from './types.ts';

const MeContext = createContext<Me | undefined>(undefined);
const UNAUTHORIZED = 401;

interface MeProviderProps {
  /** The page for a user without a valid credential. `ended`: why the credential is no longer valid. */
  login(ended: string | undefined): ReactNode;
  /** The page while the server does not respond to the first requests. */
  away(error: Error): ReactNode;
  children: ReactNode;
}

/** Provides the user of the page. Asks for a credential if the server needs one, and again when it has expired. */
export function MeProvider({ login, away, children }: MeProviderProps) {
  const queries = useQueryClient();
  const { data: routes, error: noRoutes } = useRoutesQuery();
  const { data, error } = useQuery({
    queryKey: ['me'],
    queryFn: ({ signal }) => api.credentials.me({ signal }),
    staleTime: 60_000,
    refetchInterval: ({ state }) => (state.status === 'error' && !isUnauthorized(state.error) ? RETRY_MS : false),
  });
  useEffect(
    () =>
      queries.getQueryCache().subscribe((event) => {
        if (event.type !== 'updated' || event.action.type !== 'error' || event.query.queryKey[0] === 'me') return;
        if (isUnauthorized(event.action.error)) {
          void queries.invalidateQueries({ queryKey: ['me'] });
        }
      }),
    [queries],
  );
  if (isUnauthorized(error)) return login(endOf(error, data !== undefined));
  if (!routes || !data) {
    const failure = noRoutes ?? error;
    return failure ? away(failure) : null;
  }
  return <MeContext value={data}>{children}</MeContext>;
}

/** Returns why a user is logged out. Undefined if the user has not been logged in. */
function endOf({ code, message }: ApiError, wasLoggedIn: boolean): string | undefined {
  // The code of a request without a credential.
  if (code === 'UNAUTHORIZED') return wasLoggedIn ? 'You were logged out: the session has ended.' : undefined;
  const reason = message.split(';')[0]!;
  return `You were logged out: ${reason}. ${reason.includes('session') ? 'Its key may have expired or been revoked.' : ''}`;
}

function isUnauthorized(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === UNAUTHORIZED;
}

/**
 * Returns the user of the page. The subject is null if the server has no authentication. Each action then names a
 * person.
 */
export function useMe(): Me {
  return useContext(MeContext)!;
}

/** Returns the permission that the user lacks for a method. */
export function useLacking(): (method: Method | OtherRoute) => string | undefined {
  const { permissions } = useMe();
  const routes = useRoutes();
  return (method) => {
    const needed = routes?.permissionOf(method);
    if (needed === undefined || permissions === null || needed === 'public' || needed === 'authenticated')
      return undefined;
    return permissions.includes(needed) ? undefined : needed;
  };
}
