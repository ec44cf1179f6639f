import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect } from 'react';
import { ApiError, ask } from './client.ts';
import { RETRY_MS, useRoutes, useRoutesQuery } from './routes.ts';

/** The user of the page, and the rights of the credential. */
export interface Me {
  /**
   * The name that actions are recorded under. Null if the server has no authentication; then each action names a
   * person.
   */
  subject: string | null;
  /** Null means all. */
  permissions: string[] | null;
  authenticated: boolean;
}

const ANYONE: Me = { subject: null, permissions: null, authenticated: false };
const MeContext = createContext<Me>(ANYONE);
const UNAUTHORIZED = 401;

interface MeProviderProps {
  /** The page for a user without a credential. */
  login: ReactNode;
  /** The page while the server does not respond to the first requests. */
  away(error: Error): ReactNode;
  children: ReactNode;
}

/** Provides the user of the page. Asks for a credential if the server needs one, and again when it has expired. */
export function MeProvider({ login, away, children }: MeProviderProps) {
  const queries = useQueryClient();
  const { data: routes, error: noRoutes } = useRoutesQuery();
  const served = routes?.has('GET /v1/me') ?? false;
  const { data, error } = useQuery({
    queryKey: ['me'],
    queryFn: ({ signal }) => ask<Me>('v1/me', { signal }),
    enabled: served,
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
  if (isUnauthorized(error)) return login;
  if (!routes || (served && !data)) {
    const failure = noRoutes ?? error;
    return failure ? away(failure) : null;
  }
  return <MeContext value={data ?? ANYONE}>{children}</MeContext>;
}

function isUnauthorized(error: unknown): boolean {
  return error instanceof ApiError && error.status === UNAUTHORIZED;
}

export function useMe(): Me {
  return useContext(MeContext);
}

/** Returns the permission that the user lacks for a route, such as `POST /v1/tasks/{uuid}/retry`. */
export function useLacking(): (route: string) => string | undefined {
  const { permissions } = useMe();
  const routes = useRoutes();
  return (route) => {
    const needed = routes?.permissionOf(route);
    if (needed === undefined || permissions === null || needed === 'public' || needed === 'authenticated')
      return undefined;
    return permissions.includes(needed) ? undefined : needed;
  };
}

/** Returns the first of these permissions that the user lacks. */
export function useMissing(): (...needed: readonly string[]) => string | undefined {
  const { permissions } = useMe();
  return (...needed) => (permissions === null ? undefined : needed.find((name) => !permissions.includes(name)));
}
