import { randomUUID } from 'node:crypto';
import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { timeout } from 'hono/timeout';
import type { Tasker } from '../app/tasker.ts';
import { TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { apiPage } from '../server/api-page.ts';
import { isLoopback } from '../server/bind-address.ts';
import { answerError } from '../server/error-answer.ts';
import { analyticsRoutes } from './analytics-routes.ts';
import { dlqRoutes, investigationRoutes } from './dlq-routes.ts';
import { healthRoutes, type ServerFacts } from './health-routes.ts';
import { stepRoutes } from './step-routes.ts';
import { taskRoutes } from './task-routes.ts';
import { templateRoutes } from './template-routes.ts';
import { webPage } from './web-page.ts';

/** Options of {@link restApp}. */
export interface RestAppOptions {
  tasker: Tasker;
  logger: Logger;
  facts: ServerFacts;
  /** Whether a created task is answered with 200 instead of 201. Default false. */
  legacyStatus?: boolean;
}

const REQUEST_MS = 30_000;
/** A context of 1 MB, with room for escapes and the other fields. */
const LARGEST_BODY = 4 * 1024 * 1024;

/** The HTTP API of tasks, steps, templates, dead letters and statistics, its OpenAPI document, and the page for it. */
export function restApp({ tasker, logger, facts, legacyStatus = false }: RestAppOptions): OpenAPIHono {
  const app = new OpenAPIHono();
  app.use(async (c, next) => {
    await next();
    c.header('x-request-id', randomUUID());
    c.header('x-content-type-options', 'nosniff');
  });
  // Before everything that checks requests to the API: the page holds no data, and asks for a credential itself.
  app.route('/', webPage());
  for (const path of ['/v1/*', '/api-docs/*']) app.use(path, onlyLocalHosts());
  app.use('/v1/*', timeout(REQUEST_MS, tookTooLong));
  app.use('/v1/*', bodyLimit({ maxSize: LARGEST_BODY, onError: tooLarge }));
  app.route('/', healthRoutes(tasker, facts));
  for (const routes of [taskRoutes(tasker, { legacyStatus }), stepRoutes(tasker), templateRoutes(tasker)]) {
    app.route('/', routes);
  }
  app.route('/', dlqRoutes(tasker));
  app.route('/', investigationRoutes(tasker));
  app.route('/', analyticsRoutes(tasker));
  app.get('/metrics', async (c) =>
    c.text(await tasker.metrics.text(), 200, { 'content-type': tasker.metrics.contentType }),
  );
  app.doc31('/api-docs/openapi.json', { openapi: '3.1.0', info: { title: 'tasker-core', version: facts.version } });
  app.route('/', apiPage());
  app.notFound((c) => answerError(c, nothingThere(c.req.method, c.req.path), logger));
  app.onError((error, c) => answerError(c, unreadable(error), logger));
  return app;
}

function nothingThere(method: string, path: string): TaskerError {
  return new TaskerError('not_found', `there is no ${method} ${path}; /api-docs/openapi.json lists all routes`);
}

function tookTooLong(): HTTPException {
  return new HTTPException(408, {
    message: `no response within ${REQUEST_MS / 1000} seconds; the database may be slow`,
  });
}

function tooLarge(): never {
  throw new HTTPException(413, { message: `the body is larger than ${LARGEST_BODY / 1024 / 1024} MB` });
}

/** Turns the error about an unreadable body into a known one. */
function unreadable(error: Error): Error {
  if (!(error instanceof HTTPException) || error.status !== 400) return error;
  return new TaskerError('bad_request', `the body is not valid JSON: ${error.message}`);
}

/** Rejects requests under a foreign host name, which a web page could let point to this machine. */
function onlyLocalHosts(): MiddlewareHandler {
  return async (c, next) => {
    const { hostname } = new URL(c.req.url);
    if (!isLoopback(hostname)) {
      throw new TaskerError(
        'forbidden',
        `${c.req.path} was requested from host ${hostname}; use localhost or 127.0.0.1`,
      );
    }
    const origin = c.req.header('origin');
    if (origin !== undefined && !(URL.canParse(origin) && isLoopback(new URL(origin).hostname))) {
      throw new TaskerError('forbidden', `requests from web pages of ${origin} are rejected`);
    }
    await next();
  };
}
