import { OpenAPIHono } from '@hono/zod-openapi';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { type CreateTaskerOptions, createTasker } from '../../../src/app/create-tasker.ts';
import { type Logger, silentLogger } from '../../../src/logging/logger.ts';
import { LOCAL_SECURITY } from '../../../src/rest/auth/settings.ts';
import { bulkStartRoutes } from '../../../src/rest/by-hand/bulk-start-routes.ts';
import { createManyRoutes } from '../../../src/rest/by-hand/create-many-routes.ts';
import { templateWriteRoutes } from '../../../src/rest/by-hand/template-write-routes.ts';
import type { Caller } from '../../../src/rest/caller.ts';
import { restApp } from '../../../src/rest/rest-app.ts';
import { allVerbRoutes } from '../../../src/rest/verbs/all-verbs.ts';
import { answerError } from '../../../src/server/error-answer.ts';
import { emptyDatabase } from '../database.ts';

export type Json = Record<string, unknown>;

/** A response of the API. */
export interface Answer<Body = Json> {
  status: number;
  headers: Headers;
  body: Body;
}

interface Document {
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>>;
}

/** Checks responses against the OpenAPI document. */
export class Contract {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #known = new Map<string, ValidateFunction>();
  readonly #places: { path: string; pattern: RegExp; fixed: number }[];
  readonly #paths: Document['paths'];

  constructor(document: Document) {
    this.#ajv.addSchema(document, 'api');
    this.#paths = document.paths;
    this.#places = Object.keys(document.paths)
      .map((path) => ({
        path,
        pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
        fixed: path.split('/').filter((part) => !part.startsWith('{')).length,
      }))
      .sort((a, b) => b.fixed - a.fixed);
  }

  /** Returns the problem with a response, or undefined if there is none or the path is not that of a route. */
  problemOf({ method, path }: { method: string; path: string }, { status, body }: Answer<unknown>): string | undefined {
    const verb = method.toLowerCase();
    const place = this.#places.find((one) => one.pattern.test(path) && this.#paths[one.path]![verb]);
    if (!place) return undefined;
    const { responses } = this.#paths[place.path]![verb]!;
    const described = responses[status];
    if (!described) return `${method} ${place.path} does not describe status ${status}`;
    if (!described.content?.['application/json']) return undefined;
    const pointer = [place.path, verb, 'responses', String(status), 'content', 'application/json', 'schema'];
    const reference = `api#/paths/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
    const check = this.#known.get(reference) ?? this.#ajv.compile({ $ref: reference });
    this.#known.set(reference, check);
    if (check(body)) return undefined;
    return `${method} ${place.path} ${status}: ${this.#ajv.errorsText(check.errors)} in ${JSON.stringify(body).slice(0, 500)}`;
  }
}

/** Options of {@link servedApi}. */
export interface ServedApiOptions extends CreateTaskerOptions {
  mostRequests?: number;
  requestsPerSecond?: number;
  logger?: Logger;
}

/** The API on its own database. `stop` removes both. */
export async function servedApi({
  mostRequests,
  requestsPerSecond = 0,
  logger = silentLogger,
  ...options
}: ServedApiOptions = {}) {
  const { url, sql, drop } = await emptyDatabase();
  const tasker = await createTasker({ databaseUrl: url, poolSize: 6, worker: false, ...options });
  tasker.door = 'rest';
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const app = restApp({ tasker, logger, facts, mostRequests, security: { ...LOCAL_SECURITY, requestsPerSecond } });
  const document = (await (await app.request('http://localhost/api-docs/openapi.json')).json()) as Document;
  const contract = new Contract(document);

  const asking =
    (to: Pick<typeof app, 'fetch'>) =>
    async <Body = Json>(
      method: string,
      path: string,
      body?: unknown,
      headers: Record<string, string> = {},
    ): Promise<Answer<Body>> => {
      const response = await to.fetch(
        new Request(`http://localhost${path}`, {
          method,
          headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
          ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        }),
      );
      const answer = { status: response.status, headers: response.headers, body: (await response.json()) as Body };
      const wrong = contract.problemOf({ method, path: path.split('?')[0]! }, answer);
      if (wrong !== undefined) throw new Error(wrong);
      return answer;
    };
  const stop = async () => {
    await tasker.stop({ drainTimeoutMs: 100 });
    await drop();
  };
  return {
    tasker,
    app,
    url,
    sql,
    /** Sends a request, and compares the response with the OpenAPI document. */
    ask: asking(app),
    /** Sends requests to the routes of actions as a caller with a credential. */
    as: (caller: Caller) => {
      const outer = new OpenAPIHono<{ Variables: { caller: Caller } }>();
      outer.use(async (c, next) => {
        c.set('caller', caller);
        await next();
      });
      const byHand = [
        createManyRoutes(tasker, logger),
        bulkStartRoutes(tasker, logger),
        templateWriteRoutes(tasker, { environment: 'test' }),
      ];
      for (const routes of [...byHand, ...allVerbRoutes(tasker, logger, byHand)]) outer.route('/', routes);
      outer.onError((error, c) => answerError(c, error, logger));
      return asking(outer as never);
    },
    contract,
    document,
    stop,
  };
}
