import { createRoute, type z } from '@hono/zod-openapi';
import { ErrorSchema } from './schemas.ts';

/** A route that answers JSON of one form, or an error. `Path` has OpenAPI's braces: `/v1/templates/{name}`. */
export interface JsonRoute<Path extends string, Answer extends z.ZodType> {
  method: 'get' | 'post';
  path: Path;
  summary: string;
  answer: Answer;
  /** The statuses of the errors that it may come to. */
  errors?: readonly (403 | 404 | 408 | 503)[];
}

const ERROR_TEXTS = {
  403: 'not on an address beyond this machine',
  404: 'there is no such thing',
  408: 'it took too long',
  503: 'not now',
} as const;

/** Describes such a route for the document, and for the compiler. */
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
