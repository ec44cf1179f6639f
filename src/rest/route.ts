import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { ErrorSchema } from '../contract/schemas/server.ts';
import type { Takes, Verb } from '../contract/verb.ts';
import { TaskerError } from '../errors.ts';
import { describeUnknown, nearNames } from '../model/near-names.ts';
import { withEtag } from './etag.ts';
import { operationIdOf, tagOf } from './operation-names.ts';
import { fieldsOf } from './refuse-invalid.ts';

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
  500: 'internal error; the log of the server has the details',
  503: 'overloaded, or the database does not respond',
} as const;

/** Statuses that every route may return. */
const ALWAYS = [403, 408, 429, 500, 503] as const;
/** Responses that say when to repeat the request. */
const WITH_PAUSE: readonly number[] = [429, 503];
const RETRY_AFTER = { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' as const } } };
/** The status of unknown parameters, and the statuses of routes with a body. */
const WITH_NAMES = [400] as const;
const WITH_BODY = [413, 415] as const;
const ETAG = { ETag: { description: 'The version of the response.', schema: { type: 'string' as const } } };
/** The ways to send a credential. */
const CREDENTIAL: Record<string, string[]>[] = [{ ApiKey: [] }, { Bearer: [] }, { Session: [] }];

/** The request of a route, from what its verb takes. */
type RequestOf<Given> = Record<never, never> &
  (Given extends { path: infer Path } ? { params: Path } : unknown) &
  (Given extends { query: infer Query } ? { query: Query } : unknown) &
  (Given extends { headers: infer Headers } ? { headers: Headers } : unknown) &
  (Given extends { body: infer Body extends z.ZodType }
    ? { body: { content: { 'application/json': { schema: Body } }; required: true } }
    : unknown) &
  (Given extends { optionalBody: infer Body extends z.ZodType }
    ? { body: { content: { 'application/json': { schema: Body } }; required: false } }
    : unknown) &
  (Given extends { bodyByHand: infer Schemas extends Readonly<Record<string, z.ZodType>> }
    ? { body: { content: { [Type in keyof Schemas]: { schema: Schemas[Type] } }; required: true } }
    : unknown);

/** A route with the types that its handler needs. */
type RouteOf<
  Path extends string,
  Method extends Verb['method'],
  Gives extends z.ZodType,
  Given,
  Status extends number,
> = {
  method: Method;
  path: Path;
  request: RequestOf<Given>;
  responses: { [Code in Status]: { description: string; content: { 'application/json': { schema: Gives } } } };
  getRoutingPath(): RoutingPath<Path>;
};

/** The path of a route in the form of Hono: `/v1/tasks/:uuid`. */
type RoutingPath<Path extends string> = Path extends `${infer Head}/{${infer Name}}${infer Tail}`
  ? `${Head}/:${Name}${RoutingPath<Tail>}`
  : Path;

/** The parts of a verb that decide the types of its route. */
interface Typed<Path, Method, Gives, Given, Status> {
  path: Path;
  method: Method;
  gives: Gives;
  takes?: Given;
  status?: Status;
}

function requestOf({ path, query, headers, body, optionalBody, bodyByHand }: Takes) {
  const schemas = bodyByHand ?? (body || optionalBody ? { 'application/json': (body ?? optionalBody)! } : undefined);
  const content = Object.fromEntries(Object.entries(schemas ?? {}).map(([type, schema]) => [type, { schema }]));
  return {
    ...(path && { params: path }),
    ...(query && { query }),
    ...(headers && { headers }),
    ...(schemas && { body: { content, required: optionalBody === undefined } }),
  } as RouteConfig['request'];
}

/** Creates the OpenAPI description of the route of a verb, with its types. */
export function describeRoute<
  const Path extends string,
  const Method extends Verb['method'],
  Gives extends z.ZodType,
  Given extends Takes = Record<never, never>,
  const Status extends 200 | 201 | 202 = 200,
>(verb: Omit<Verb, 'path' | 'method' | 'gives' | 'takes' | 'status'> & Typed<Path, Method, Gives, Given, Status>) {
  const { method, path, permission, summary, description, gives, takes, status = 200, etag = false } = verb;
  const isPublic = permission === 'public';
  const request = takes && requestOf(takes);
  const types = Object.keys(request?.body?.content ?? {});
  const possible = [
    ...(request || !verb.tolerant ? WITH_NAMES : []),
    ...(isPublic ? [] : ([401] as const)),
    ...ALWAYS,
    ...(types.length > 0 ? WITH_BODY : []),
    ...(verb.errors ?? []),
  ];
  const failed = possible.map((code) => [
    code,
    {
      description: ERROR_TEXTS[code],
      content: { 'application/json': { schema: ErrorSchema } },
      ...(WITH_PAUSE.includes(code) && { headers: RETRY_AFTER }),
    },
  ]);
  const others = Object.entries(verb.otherForms ?? {}).map(([type, what]) => [
    type,
    { schema: z.string().openapi({ description: what }) },
  ]);
  const json = gives instanceof z.ZodNever ? {} : { 'application/json': { schema: gives } };
  const responses = {
    [status]: {
      description: summary,
      content: { ...json, ...Object.fromEntries(others) },
      ...(etag && { headers: ETAG }),
    },
    ...(etag && { 304: { description: 'not changed since the ETag in If-None-Match' } }),
    ...Object.fromEntries(failed),
  };
  const middleware = [
    ...(etag ? [withEtag] : []),
    ...(types.length > 0 ? [onlyTypes(types)] : []),
    onlyKnown({ ...verb, takes }),
  ];
  const described = createRoute({
    method,
    path,
    operationId: verb.operationId ?? operationIdOf(method, path),
    tags: [verb.tag ?? tagOf(path)],
    summary,
    ...(description !== undefined && { description }),
    'x-permission': permission,
    ...(verb.on === 'visible' && { 'x-scoped': true }),
    security: isPublic ? [] : CREDENTIAL,
    request,
    responses,
  });
  // A cast, because the parts of the route were made from a verb whose type is known to the caller only.
  return Object.assign(described, { middleware }) as unknown as RouteOf<Path, Method, Gives, Given, Status>;
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

/**
 * Rejects parameters that the route does not read, such as `?stat=error`, because ignoring them would return something
 * else than the caller asked for. The fields of a body are checked by its schema, except for tolerant routes.
 */
function onlyKnown(verb: Pick<Verb, 'takes' | 'tolerant'>): MiddlewareHandler {
  const { takes = {}, tolerant = false } = verb;
  const parameters = takes.query instanceof z.ZodObject ? Object.keys(takes.query.shape) : [];
  const fields = fieldsOf(takes);
  const check = (what: string, given: readonly string[], known: readonly string[]) => {
    const unknown = given.filter((name) => !known.includes(name));
    const wrong = tolerant ? unknown.filter((name) => nearNames(name, known).length > 0) : unknown;
    if (wrong.length === 0) return;
    if (known.length > 0) throw new TaskerError('bad_request', describeUnknown(what, wrong, known));
    throw new TaskerError('bad_request', `unknown ${what} ${wrong.join(', ')}; this route has none`);
  };
  return async (c, next) => {
    c.set('verb', verb);
    check('query parameter', Object.keys(c.req.queries()), parameters);
    if (tolerant && fields.length > 0) check('field', await keysOfBody(c), fields);
    return next();
  };
}

/** Returns the fields of a JSON body. Empty if the body is not an object, which the schema reports. */
async function keysOfBody(c: Context): Promise<string[]> {
  if (!c.req.header('content-type')) return [];
  const body: unknown = await c.req.json().catch(() => undefined);
  return typeof body === 'object' && body !== null ? Object.keys(body) : [];
}

/** Returns whether a request has a body. A request of this process, without a socket, may have one without either header. */
function hasBody(c: Context, type: string): boolean {
  const length = c.req.header('content-length');
  if (length !== undefined) return length !== '0';
  if (c.req.header('transfer-encoding') !== undefined) return true;
  const { incoming } = (c.env ?? {}) as { incoming?: unknown };
  return incoming === undefined && type !== '' && c.req.raw.body !== null;
}
