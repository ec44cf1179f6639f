import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import type { Permission } from '../model/permissions.ts';
import { ErrorSchema } from '../server/schemas.ts';

const ERROR_TEXTS = {
  400: 'the request is invalid',
  401: 'the credential is missing or not accepted',
  403: 'the credential lacks the permission, or the request comes from a foreign web page',
  404: 'not found',
  408: 'timeout',
  409: 'conflict',
  413: 'the body is too large',
  429: 'too many requests',
  503: 'the database does not respond',
} as const;

/** Statuses that every route may answer with. */
const ALWAYS = [400, 403, 408, 429, 503] as const;
/** The ways to send a credential. */
const CREDENTIAL: Record<string, string[]>[] = [{ ApiKey: [] }, { Bearer: [] }, { Session: [] }];

/** The parts of a route that differ. */
export interface Described<
  Path extends string,
  Answer extends z.ZodType,
  Request extends RouteConfig['request'],
  Method extends string,
  Status extends 200 | 201,
> {
  method: Method;
  path: Path;
  /** The permission that the caller needs. `public`: no credential; `authenticated`: any credential. */
  permission: Permission | 'public' | 'authenticated';
  summary: string;
  answer: Answer;
  request?: Request;
  /** Default 200. */
  status?: Status;
  /**
   * Whether the route limits what it shows and changes to the namespaces of the caller. Not needed for routes with a task,
   * a namespace, a dead letter or a schedule in the path, which are checked for them. Other routes refuse callers that are
   * limited to namespaces. Default false.
   */
  scoped?: boolean;
  /** Errors besides those of every route. */
  errors?: readonly (404 | 409 | 413)[];
}

/** Creates the OpenAPI description of a route, with its types. `Path` uses the braces of OpenAPI. */
export function describeRoute<
  const Path extends string,
  Answer extends z.ZodType,
  const Method extends 'get' | 'post' | 'patch' | 'delete',
  Request extends RouteConfig['request'] = undefined,
  const Status extends 200 | 201 = 200,
>(route: Described<Path, Answer, Request, Method, Status>) {
  const { method, path, permission, summary, answer, request, status = 200, errors = [], scoped } = route;
  const isPublic = permission === 'public';
  const failed = Object.fromEntries(
    [...(isPublic ? [] : ([401] as const)), ...ALWAYS, ...errors].map((code) => [
      code,
      { description: ERROR_TEXTS[code], content: { 'application/json': { schema: ErrorSchema } } },
    ]),
  );
  const responses = {
    [status]: { description: summary, content: { 'application/json': { schema: answer } } },
    ...failed,
  } as { [Code in Status]: { description: string; content: { 'application/json': { schema: Answer } } } };
  return createRoute({
    method,
    path,
    summary,
    'x-permission': permission,
    ...(scoped && { 'x-scoped': true }),
    security: isPublic ? [] : CREDENTIAL,
    request: request as Request,
    responses,
  });
}

/** A JSON body in a request. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { body: { content: { 'application/json': { schema } }, required: true } } as const;
}

/** A whole number in a query, with its default. */
export const queryNumber = (byDefault: number, { min = 1, max }: { min?: number; max: number }) =>
  z.coerce.number().int().min(min).max(max).default(byDefault);
