import { createRoute, type z } from '@hono/zod-openapi';
import { ErrorSchema } from '../contract/schemas/server.ts';

/** A route that responds with JSON or an error. `Path` uses the braces of OpenAPI: `/v1/templates/{name}`. */
export interface JsonRoute<Path extends string, Answer extends z.ZodType> {
  method: 'get' | 'post';
  path: Path;
  summary: string;
  answer: Answer;
  /** The statuses of its error responses. */
  errors?: readonly (403 | 404 | 408 | 503)[];
}

const ERROR_TEXTS = {
  403: 'not available from other machines',
  404: 'not found',
  408: 'timeout',
  503: 'not ready',
} as const;

/** Creates the OpenAPI description of a route, with its types. */
export function jsonRoute<const Path extends string, Answer extends z.ZodType>(route: JsonRoute<Path, Answer>) {
  const { method, path, summary, answer, errors = [] } = route;
  const failed = Object.fromEntries(
    errors.map((status) => [
      status,
      { description: ERROR_TEXTS[status], content: { 'application/json': { schema: ErrorSchema } } },
    ]),
  );
  return createRoute({
    method,
    path,
    summary,
    responses: {
      200: { description: summary, content: { 'application/json': { schema: answer } } },
      ...failed,
    },
  });
}
