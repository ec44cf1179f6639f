import { randomUUID } from 'node:crypto';
import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { timeout } from 'hono/timeout';
import { workerProcess } from '../contract/process.ts';
import { TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { apiPage } from './api-page.ts';
import { isLoopback } from './bind-address.ts';
import { answerError } from './error-answer.ts';
import { healthRoutes } from './health-routes.ts';
import { metricsRoutes } from './metrics-routes.ts';
import { nameSchemas } from './open-api.ts';
import { jsonRoute } from './route.ts';
import type { ServedWorker } from './served-worker.ts';
import { templateRoutes } from './template-routes.ts';

/** Options of {@link workerApp}. */
export interface WorkerAppOptions {
  worker: ServedWorker;
  logger: Logger;
  /** True if other machines can reach the server. Then only health and metrics are available without a guard. */
  exposed: boolean;
  /** Authenticates requests on an address that other machines reach. Default: only health and metrics are available there. */
  guard?: MiddlewareHandler | undefined;
}

const REQUEST_MS = 30_000;

/** The HTTP API of a worker: health, metrics, templates, configuration, the OpenAPI document and its page. */
export function workerApp({ worker, logger, exposed, guard }: WorkerAppOptions): OpenAPIHono {
  const app = new OpenAPIHono();
  app.use(async (c, next) => {
    await next();
    c.header('x-request-id', randomUUID());
  });
  for (const path of ['/v1/*', '/config', '/api-docs/*']) app.use(path, (exposed && guard) || onlyHere(exposed));
  if (exposed && guard) for (const path of ['/metrics', '/metrics/*']) app.use(path, guard);
  app.use('/v1/*', timeout(REQUEST_MS, tookTooLong));
  app.route('/', healthRoutes(worker, { exposed }));
  app.route('/', metricsRoutes(worker));
  app.route('/', templateRoutes(worker));
  if (worker.config) app.route('/', configRoute(worker, worker.config, { guarded: exposed && guard !== undefined }));
  nameSchemas();
  app.doc31('/api-docs/openapi.json', {
    openapi: '3.1.0',
    info: { title: 'tasker-core worker', version: worker.facts().version },
  });
  app.route('/', apiPage());
  app.notFound((c) => answerError(c, nothingThere(c.req.method, c.req.path), logger));
  app.onError((error, c) => answerError(c, error, logger));
  return app;
}

function nothingThere(method: string, path: string): TaskerError {
  return new TaskerError('not_found', `route ${method} ${path} not found; /api-docs/openapi.json lists all routes`);
}

function tookTooLong(): HTTPException {
  return new HTTPException(408, {
    message: `no response within ${REQUEST_MS / 1000} seconds; the database may be slow`,
  });
}

/**
 * Rejects requests from other machines, because there is no authentication. The host name in the request must be local
 * too: a web page in a local browser could make its own host name resolve to 127.0.0.1.
 */
function onlyHere(exposed: boolean): MiddlewareHandler {
  return async (c, next) => {
    if (exposed) {
      throw new TaskerError(
        'forbidden',
        `${c.req.path} is only served while the worker listens on a loopback address (worker.web.bind_address = "127.0.0.1:8081"); on other addresses only health and metrics are served`,
      );
    }
    const { hostname } = new URL(c.req.url);
    if (!isLoopback(hostname)) {
      throw new TaskerError(
        'forbidden',
        `${c.req.path} was requested from host ${hostname}; use localhost or 127.0.0.1`,
      );
    }
    await next();
  };
}

const CONFIG = jsonRoute(workerProcess.config);

/** The route for the effective configuration. */
function configRoute(
  worker: ServedWorker,
  config: () => Record<string, unknown>,
  { guarded }: { guarded: boolean },
): OpenAPIHono {
  return new OpenAPIHono().openapi(CONFIG, (c) => {
    const { workerId, version, environment } = worker.facts();
    return c.json(
      {
        metadata: { timestamp: new Date().toISOString(), environment, version },
        worker_id: workerId,
        worker_type: 'typescript',
        auth: { enabled: guarded },
        messaging: { backend: 'postgresql', queues: ['worker_dispatch_queue', 'worker_completion_queue'] },
        configuration: config(),
      },
      200,
    );
  });
}
