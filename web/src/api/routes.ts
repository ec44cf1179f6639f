import { useQuery } from '@tanstack/react-query';
import { ROUTES, type Route } from '../../../src/client/contract.ts';
import { type Api, api, send } from './client.ts';

type Table = typeof ROUTES;

/** A method of the API, such as `api.tasks.retry`. */
export type Method = { [Noun in keyof Table]: Api[Noun][keyof Table[Noun] & keyof Api[Noun]] }[keyof Table];

/** The routes outside the contract that depend on the configuration of the server. */
export type OtherRoute = 'GET /config' | 'GET /v1/auth/providers';

const NAMES = new Map<unknown, string>(
  Object.entries<Record<string, Route>>(ROUTES).flatMap(([noun, routes]) => {
    const methods: Readonly<Record<string, unknown>> = api[noun as keyof Api];
    return Object.entries(routes).map(([name, { method, path }]) => [methods[name], `${method} ${path}`] as const);
  }),
);

/** Returns the route of a method, such as `POST /v1/tasks/{uuid}/retry`. */
export function routeOf(method: Method | OtherRoute): string {
  return typeof method === 'string' ? method : NAMES.get(method)!;
}

interface Operation {
  'x-permission'?: string;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
}

/** The routes of the server, from its OpenAPI document. */
export interface Routes {
  /** Returns whether it has a route that depends on its configuration. */
  has(route: OtherRoute): boolean;
  /** The permission that a route needs. */
  permissionOf(method: Method | OtherRoute): string | undefined;
}

/** Milliseconds until the page repeats a failed request that it needs to start. */
export const RETRY_MS = 3_000;

/** Reads the OpenAPI document of the server. */
export function useRoutesQuery() {
  return useQuery({
    queryKey: ['routes'],
    queryFn: ({ signal }) => send<Document>('GET', '/api-docs/openapi.json', undefined, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
    select: routesOf,
    refetchInterval: ({ state }) => (state.status === 'error' ? RETRY_MS : false),
  });
}

/** Returns the routes of the server. Undefined until its OpenAPI document is loaded. */
export function useRoutes(): Routes | undefined {
  return useRoutesQuery().data;
}

function routesOf({ paths }: Document): Routes {
  const find = (route: string) => {
    const [method = '', path = ''] = route.split(' ');
    return paths[path]?.[method.toLowerCase()];
  };
  return {
    has: (route) => find(route) !== undefined,
    permissionOf: (method) => find(routeOf(method))?.['x-permission'],
  };
}
