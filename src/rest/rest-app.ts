import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { contextStorage } from 'hono/context-storage';
import { HTTPException } from 'hono/http-exception';
import { requestId } from 'hono/request-id';
import { timeout } from 'hono/timeout';
import { hidingIn, withoutSensitive } from '../app/sensitive/without-sensitive.ts';
import { SharedCreations } from '../app/server/shared-creations.ts';
import type { Tasker } from '../app/tasker.ts';
import { CREATE_MANY_PATH } from '../contract/tasks.ts';
import type { Verb } from '../contract/verb.ts';
import { isConnectionError, sqlState } from '../engine/engine.ts';
import { isTaskerError, TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { apiPage } from '../server/api-page.ts';
import { answerError } from '../server/error-answer.ts';
import { nameSchemas } from '../server/open-api.ts';
import { type ArrivalLimits, arrivedBodies } from './arriving-bodies.ts';
import { oidcRoutes } from './auth/oidc/oidc-routes.ts';
import { securityOf } from './auth/security.ts';
import { sessionRoutes } from './auth/session-routes.ts';
import type { SecuritySettings } from './auth/settings.ts';
import { checkBodyText } from './body-text.ts';
import { analyticsRoutes } from './by-hand/analytics-routes.ts';
import { bulkStartRoutes } from './by-hand/bulk-start-routes.ts';
import { createManyRoutes } from './by-hand/create-many-routes.ts';
import { shownConflict } from './by-hand/creation-conflict.ts';
import { dlqRoutes, investigationRoutes } from './by-hand/dlq-routes.ts';
import { healthRoutes, type ServerFacts } from './by-hand/health-routes.ts';
import { processRoutes, type ServedConfig } from './by-hand/process-routes.ts';
import { stepRoutes } from './by-hand/step-routes.ts';
import { streamRoutes } from './by-hand/stream-routes.ts';
import { taskGraphRoutes } from './by-hand/task-graph-routes.ts';
import { type TaskRouteOptions, taskRoutes } from './by-hand/task-routes.ts';
import { templateContentRoutes } from './by-hand/template-content-routes.ts';
import { templateRoutes } from './by-hand/template-routes.ts';
import { templateWriteRoutes } from './by-hand/template-write-routes.ts';
import { callerOf, currentCaller } from './caller.ts';
import { limitRequests, rejectLate } from './gate.ts';
import { KnownPaths } from './known-paths.ts';
import { recentAnswers } from './recent-answers.ts';
import { withRestNames } from './rest-names.ts';
import { withoutHints } from './scope.ts';
import { allVerbRoutes } from './verbs/all-verbs.ts';
import { webPage } from './web-page.ts';
import { workRoutes } from './workers/worker-routes.ts';

/** Options of {@link restApp}. */
export interface RestAppOptions {
  tasker: Tasker;
  logger: Logger;
  facts: ServerFacts;
  /**
   * Whether the response for a created task has the status 200 instead of 201, and waiting tasks and steps are shown in
   * progress. Default false.
   */
  legacyStatus?: boolean;
  /** The settings that `GET /config` shows. Default: the route does not exist. */
  config?: ServedConfig | undefined;
  /** How long a request may take, in milliseconds. Default 30,000. */
  requestMs?: number;
  /** Maximum number of requests in progress. Further requests get 503. Default: 50 for each connection of the pool. */
  mostRequests?: number | undefined;
  /** Limits on bodies that are still arriving. Default: 4 MB in two minutes, and 1 KB a second after 5 seconds. */
  bodies?: Partial<ArrivalLimits>;
  /** Default: as on a loopback address without configuration. */
  security?: SecuritySettings;
}

const REQUEST_MS = 30_000;
/** Seconds after which a reading request may be repeated if the database does not respond. */
const DATABASE_PAUSE_S = 2;
/** The SQLSTATE of a statement that was cancelled because it took too long. */
const STATEMENT_TIMEOUT = '57014';

/** The HTTP API of tasks, steps, templates, dead letters and statistics, its OpenAPI document, and the page for it. */
export function restApp(options: RestAppOptions): OpenAPIHono {
  const {
    tasker: whole,
    logger,
    facts,
    legacyStatus = false,
    config,
    requestMs = REQUEST_MS,
    mostRequests,
    bodies,
    security,
  } = options;
  const app = new OpenAPIHono();
  app.use(contextStorage());
  app.use(requestId());
  const guards = securityOf({ app, tasker: whole, logger, settings: security });
  // All routes read through this tasker, so that no route can forget to hide values.
  const sensitive = {
    way: 'use a credential with the permission tasks:context_read',
    shows: () => currentCaller()?.allows('tasks:context_read') ?? false,
  };
  const tasker = withoutSensitive(whole, sensitive);
  const [creations, hide] = [new SharedCreations(whole), hidingIn(whole, sensitive)];
  const create: TaskRouteOptions['create'] = async (...given) => {
    const { created, outcome, rule, replacedTaskUuid, ...snapshot } = await creations.create(...given);
    return { ...(await hide(snapshot)), created, outcome, rule, replacedTaskUuid };
  };
  app.use(guards.counting);
  app.use(guards.headers);
  // Mounted before everything that checks requests to the API: the page contains no data, and asks for a credential
  // itself.
  app.route('/', webPage());
  app.use('/v1/*', guards.crossOrigin);
  app.use(guards.origins);
  app.use('/v1/*', rejectLate);
  app.use('/v1/*', rejectNul);
  const inTime = timeout(requestMs, () => tookTooLong(requestMs));
  // The time in which the body arrives does not count.
  app.use(async (c, next) => {
    await inTime(c, () => Promise.resolve(guards.authentication(c, () => Promise.resolve())).then(() => undefined));
    await next();
  });
  app.use(guards.limits);
  const wholeBody = arrivedBodies(bodies);
  app.use('/v1/*', (c, next) => (c.req.path === CREATE_MANY_PATH ? next() : wholeBody(c, next)));
  app.use('/v1/*', limitRequests({ poolSize: tasker.vitals.poolSize, mostRequests }));
  app.use('/v1/*', inTime);
  app.use('/v1/*', (c, next) => (c.req.path === CREATE_MANY_PATH ? next() : checkBodyText(c, next)));
  app.use(guards.scope);
  app.use('/v1/*', recentAnswers());
  const byHand = [
    healthRoutes(tasker, facts, { exposed: security?.exposed ?? false }),
    processRoutes(tasker, facts, config),
    sessionRoutes(guards.sessions),
    oidcRoutes(guards, logger),
    taskRoutes(tasker, { legacyStatus, create }),
    createManyRoutes(tasker, logger),
    taskGraphRoutes(tasker),
    stepRoutes(tasker, { legacyStatus }),
    bulkStartRoutes(tasker, logger),
    templateRoutes(tasker),
    templateContentRoutes(tasker),
    templateWriteRoutes(tasker, { environment: facts.environment }),
    dlqRoutes(tasker),
    investigationRoutes(tasker),
    analyticsRoutes(tasker),
    streamRoutes(tasker),
    workRoutes(tasker),
  ];
  for (const routes of [...byHand, ...allVerbRoutes(tasker, logger, byHand)]) app.route('/', routes);
  let document: string | undefined;
  app.get('/api-docs/openapi.json', (c) => {
    // Built once, because it takes 100 ms, and every web page requests it.
    if (document === undefined) {
      nameSchemas();
      document = JSON.stringify(app.getOpenAPI31Document(openApiHead(facts)));
    }
    return c.body(document, 200, { 'content-type': 'application/json' });
  });
  app.route('/', apiPage());
  const paths = new KnownPaths(app);
  app.notFound((c) => {
    const allowed = paths.methodsOf(c.req.path);
    if (allowed.length > 0) c.header('allow', allowed.join(', '));
    return answerError(c, nothingThere(c.req.method, c.req.path, allowed), logger);
  });
  app.onError((error, c) => {
    const caller = callerOf(c);
    const verb = c.get('verb' as never) as Verb | undefined;
    const named = withRestNames(knownError(error, c.req.method), verb, c.req.url);
    return answerError(c, withoutHints(shownConflict(named, caller), caller), logger);
  });
  return app;
}

function openApiHead({ version }: ServerFacts) {
  const description = 'Creates, shows and changes tasks. Times are ISO 8601 in UTC.';
  return {
    openapi: '3.1.0',
    info: { title: 'tasker-core', version, description, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/', description: 'This server.' }],
  };
}

function nothingThere(method: string, path: string, allowed: readonly string[]): TaskerError {
  if (allowed.length > 0) {
    return new TaskerError('method_not_allowed', `${path} has no method ${method}; use ${allowed.join(' or ')}`);
  }
  return new TaskerError('not_found', `route ${method} ${path} not found; /api-docs/openapi.json lists all routes`);
}

function tookTooLong(ms: number): HTTPException {
  return new HTTPException(408, {
    message: `no response within ${ms / 1000} seconds; the database may be slow`,
  });
}

/**
 * PostgreSQL cannot store the character NUL, so no name contains it. In a query parameter that the route reads, it
 * would cause an error of PostgreSQL.
 */
const rejectNul: MiddlewareHandler = (c, next) => {
  if (!c.req.url.split('?', 1)[0]!.includes('%00')) return next();
  throw new TaskerError('bad_request', 'the URL contains the character NUL (%00); remove it');
};

/** The errors of PostgreSQL for characters that it cannot store: U+0000, and lone surrogates. */
const UNSTORABLE = new Set(['22021', '22P05']);

/** Converts errors of the body parser and of the database connection into errors with a code. */
function knownError(error: Error, method: string): Error {
  if (error instanceof HTTPException && error.status === 400) {
    return new TaskerError(
      'json_error',
      'the body is not valid JSON; check its syntax and its encoding, which must be UTF-8',
    );
  }
  if (error instanceof HTTPException || isTaskerError(error)) return error;
  if (sqlState(error) === STATEMENT_TIMEOUT) {
    return new TaskerError('timeout', 'the database took too long; request less, or try again later', { cause: error });
  }
  if (UNSTORABLE.has(sqlState(error) ?? '')) {
    return new TaskerError('bad_request', 'the request has characters that PostgreSQL cannot store, such as U+0000');
  }
  if (!isConnectionError(error)) return error;
  // Clients repeat any request with Retry-After. A request that changes something may have been carried out.
  const details = method === 'GET' ? { retry_after_seconds: DATABASE_PAUSE_S } : {};
  return new TaskerError('database_unreachable', 'the database does not respond; try again later', {
    cause: error,
    details,
  });
}
