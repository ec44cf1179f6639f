import { createRoute, type z } from '@hono/zod-openapi';
import { ErrorSchema } from '../contract/schemas/server.ts';
import type { Verb } from '../contract/verb.ts';

const ERRORS = {
  403: 'not available from other machines',
  404: 'not found',
  408: 'timeout',
  503: 'not ready',
} as const;

type Page<Path extends string, Method, Gives> = Omit<Verb, 'path' | 'method' | 'gives' | 'takes'> & {
  path: Path;
  method: Method;
  gives: Gives;
};

/** Creates the OpenAPI description of a page of a worker that responds with JSON or an error, with its types. */
export function jsonRoute<const Path extends string, const Method extends Verb['method'], Gives extends z.ZodType>({
  method,
  path,
  summary,
  gives,
}: Page<Path, Method, Gives>) {
  const failed = Object.entries(ERRORS).map(([status, description]) => [
    status,
    { description, content: { 'application/json': { schema: ErrorSchema } } },
  ]);
  return createRoute({
    method,
    path,
    summary,
    responses: {
      200: { description: summary, content: { 'application/json': { schema: gives } } },
      ...(Object.fromEntries(failed) as Record<never, never>),
    },
  });
}
