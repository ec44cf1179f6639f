import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { TaskerError } from '../errors.ts';
import type { Permission } from '../model/permissions.ts';
import { ErrorSchema } from '../server/schemas.ts';
import { withEtag } from './etag.ts';
import { operationIdOf, tagOf } from './operation-names.ts';

const ERROR_TEXTS = {
  400: 'the request is invalid',
  401: 'the credential is missing or not accepted',
  403: 'the credential lacks the permission, or the request comes from a foreign web page',
  404: 'not found',
  408: 'timeout',
  409: 'conflict',
  413: 'the body is too large',
  415: 'the body has another content type',
  429: 'too many requests',
  503: 'overloaded, or the database does not respond',
} as const;

/** Statuses that every route may return. */
const ALWAYS = [403, 408, 429, 503] as const;
/** Additional statuses of routes with parameters, and of routes with a body. */
const WITH_REQUEST = [400] as const;
const WITH_BODY = [413, 415] as const;
/** The ways to send a credential. */
const CREDENTIAL: Record<string, string[]>[] = [{ ApiKey: [] }, { Bearer: [] }, { Session: [] }];

/** The parts of a route that differ. */
export interface Described<
  Path extends string,
  Answer extends z.ZodType,
  Request extends RouteConfig['request'],
  Method extends string,
  Status extends 200 | 201 | 202,
> {
  method: Method;
  path: Path;
  /** The permission that the caller needs. `public`: no credential; `authenticated`: any credential. */
  permission: Permission | 'public' | 'authenticated';
  summary: string;
  /** Details, in Markdown. */
  description?: string;
  /** `z.never()`: it has no JSON form. */
  answer: Answer;
  request?: Request;
  /** Default 200. */
  status?: Status;
  /**
   * Whether the route limits its reads and changes to the namespaces of the caller. Not needed for routes with a task,
   * a namespace, a dead letter or a schedule in the path, because middleware checks these. Other routes reject callers
   * that are limited to namespaces. Default false.
   */
  scoped?: boolean;
  /** Errors in addition to the errors of every route. Routes with a body also have 413 and 415. */
  errors?: readonly (400 | 404 | 409 | 413)[];
  /** The name of the operation in generated clients. Default: from method and path, such as `getTaskContext`. */
  operationId?: string;
  /** The group in the documentation. Default: the first part of the path. */
  tag?: string;
  /** Whether the response has an ETag, so that a request with `If-None-Match` can get 304. Default false. */
  etag?: boolean;
  /** Other forms of the response, by content type, with a description of each. */
  otherForms?: Readonly<Record<string, string>>;
}

/** Creates the OpenAPI description of a route, with its types. `Path` uses the braces of OpenAPI. */
export function describeRoute<
  const Path extends string,
  Answer extends z.ZodType,
  const Method extends 'get' | 'post' | 'patch' | 'delete',
  Request extends RouteConfig['request'] = undefined,
  const Status extends 200 | 201 | 202 = 200,
>(route: Described<Path, Answer, Request, Method, Status>) {
  const { method, path, permission, summary, description, answer, request, status = 200, etag = false } = route;
  const isPublic = permission === 'public';
  const types = Object.keys(request?.body?.content ?? {});
  const possible = [
    ...(request ? WITH_REQUEST : []),
    ...(isPublic ? [] : ([401] as const)),
    ...ALWAYS,
    ...(types.length > 0 ? WITH_BODY : []),
    ...(route.errors ?? []),
  ];
  const failed = possible.map((code) => [
    code,
    { description: ERROR_TEXTS[code], content: { 'application/json': { schema: ErrorSchema } } },
  ]);
  const others = Object.entries(route.otherForms ?? {}).map(([type, what]) => [
    type,
    { schema: z.string().openapi({ description: what }) },
  ]);
  const json = answer instanceof z.ZodNever ? {} : { 'application/json': { schema: answer } };
  const responses = {
    [status]: {
      description: summary,
      content: { ...json, ...Object.fromEntries(others) },
    },
    ...(etag && { 304: { description: 'not changed since the ETag in If-None-Match' } }),
    ...Object.fromEntries(failed),
  } as { [Code in Status]: { description: string; content: { 'application/json': { schema: Answer } } } };
  const middleware = [...(etag ? [withEtag] : []), ...(types.length > 0 ? [onlyTypes(types)] : [])];
  const described = createRoute({
    method,
    path,
    operationId: route.operationId ?? operationIdOf(method, path),
    tags: [route.tag ?? tagOf(path)],
    summary,
    ...(description !== undefined && { description }),
    'x-permission': permission,
    ...(route.scoped && { 'x-scoped': true }),
    security: isPublic ? [] : CREDENTIAL,
    request: request as Request,
    responses,
  });
  // A cast, because the type of a route with middleware hides the types of its request from the handler.
  return Object.assign(described, { middleware }) as typeof described;
}

/** Aliases of the content types that routes accept. */
const SYNONYMS: readonly (readonly [RegExp, string])[] = [
  [/^application\/([\w.-]+\+)?json$/, 'application/json'],
  [/^(application|text)\/(x-)?yaml$|^text\/plain$/, 'application/yaml'],
  [/^application\/(x-)?(ndjson|jsonl)$/, 'application/x-ndjson'],
];

/** Rejects bodies with other content types. Ignoring the body would ignore options of the caller, such as `dry_run`. */
function onlyTypes(types: readonly string[]): MiddlewareHandler {
  return async (c, next) => {
    const given = (c.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
    if (!hasBody(c, given)) {
      // Clients that always send a content type may send one without a body.
      if (given !== '') c.req.raw.headers.delete('content-type');
      return next();
    }
    const name = SYNONYMS.find(([pattern]) => pattern.test(given))?.[1] ?? given;
    if (!types.includes(name)) {
      throw new TaskerError(
        'unsupported_media_type',
        `the body has ${given === '' ? 'no content type' : `the content type ${given.slice(0, 100)}`}; send content-type: ${types.join(' or ')}`,
      );
    }
    return next();
  };
}

/** Returns whether a request has a body. Requests of this process, without a socket, have neither of the two headers. */
function hasBody(c: Context, type: string): boolean {
  const length = c.req.header('content-length');
  if (length !== undefined) return length !== '0';
  return c.req.header('transfer-encoding') !== undefined || (type !== '' && c.req.raw.body !== null);
}

/** A JSON body in a request. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { body: { content: { 'application/json': { schema } }, required: true } } as const;
}

/** A whole number in a query, with its default. */
export const queryNumber = (byDefault: number, { min = 1, max }: { min?: number; max: number }) =>
  z.coerce.number().int().min(min).max(max).default(byDefault);
