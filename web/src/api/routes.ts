import { useQuery } from '@tanstack/react-query';
import { ask } from './client.ts';

interface Operation {
  'x-permission'?: string;
  parameters?: { name: string; in: string }[];
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
}

/** The abilities of the server, from its OpenAPI document. */
export interface Routes {
  /** Returns whether it has this route, such as `GET /v1/tasks/{uuid}/why`. */
  has(route: string): boolean;
  /** Returns whether a route reads this query parameter. */
  reads(route: string, parameter: string): boolean;
  /** The permission that a route needs. */
  permissionOf(route: string): string | undefined;
}

/** Milliseconds until the page repeats a failed request that it needs to start. */
export const RETRY_MS = 3_000;

/** Reads the abilities of the server from its OpenAPI document. */
export function useRoutesQuery() {
  return useQuery({
    queryKey: ['routes'],
    queryFn: async ({ signal }) => ask<Document>('api-docs/openapi.json', { signal }),
    staleTime: Number.POSITIVE_INFINITY,
    select: routesOf,
    refetchInterval: ({ state }) => (state.status === 'error' ? RETRY_MS : false),
  });
}

/** Returns the abilities of the server. Undefined until its OpenAPI document is loaded. */
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
    reads: (route, parameter) => find(route)?.parameters?.some(({ name }) => name === parameter) ?? false,
    permissionOf: (route) => find(route)?.['x-permission'],
  };
}
