import { afterAll, beforeAll } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { type ApiKeyRequest, createKey } from '../../../src/engine/credentials/api-keys.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { LOCAL_SECURITY, type SecuritySettings } from '../../../src/rest/auth/settings.ts';
import { restApp } from '../../../src/rest/rest-app.ts';
import type { TaskTemplate } from '../../../src/template/task-template.ts';
import { emptyDatabase, type Sql } from '../../support/database.ts';

export type Json = Record<string, unknown>;
export type App = ReturnType<typeof restApp>;

/** The response to a request. */
export interface Answer<T = Json> {
  status: number;
  headers: Headers;
  body: T;
}

/** The settings of a server that requires a credential. */
export const SECURED: SecuritySettings = {
  ...LOCAL_SECURITY,
  auth: { ...LOCAL_SECURITY.auth, required: 'always', wrong: { burst: 1_000_000, perSecond: 1 } },
};

/** One database for a file of tests, with apps on it. */
export interface Secured {
  readonly tasker: Tasker;
  readonly sql: Sql;
  readonly url: string;
  app(settings?: Partial<SecuritySettings>): App;
  /** Creates a key, and returns its text. */
  key(request: Partial<ApiKeyRequest> & { name: string }): Promise<string>;
}

/** Creates the database before the tests of a file, and removes it after them. */
export function secured(templates: readonly TaskTemplate[]): Secured {
  let tasker: Tasker;
  let sql: Sql;
  let url: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const fresh = await emptyDatabase();
    ({ sql, url, drop } = fresh);
    tasker = await createTasker({ databaseUrl: fresh.url, poolSize: 6, templates: [...templates], worker: false });
    tasker.door = 'rest';
  });
  afterAll(async () => {
    await tasker?.stop();
    await drop?.();
  });
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  return {
    get tasker() {
      return tasker;
    },
    get sql() {
      return sql;
    },
    get url() {
      return url;
    },
    app: (settings) => restApp({ tasker, logger: silentLogger, facts, security: { ...SECURED, ...settings } }),
    key: async (request) => (await createKey(tasker.engine.database, request, { actor: 'tests' })).key,
  };
}

/** Sends a request to an app, with headers. */
export async function ask<T = Json>(
  app: App,
  request: string,
  headers: Record<string, string> = {},
  body?: unknown,
): Promise<Answer<T>> {
  const [method, path] = request.split(' ') as [string, string];
  const answer = await app.request(path.startsWith('/') ? `http://localhost${path}` : path, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: (text === '' ? {} : JSON.parse(text)) as T };
}
