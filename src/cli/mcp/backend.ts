import { createClient } from '../../client/index.ts';
import { loadConfig } from '../../config/load-config.ts';
import { packageVersion } from '../../config/package-version.ts';
import { shownConfig } from '../../config/show/show-config.ts';
import { TaskerError } from '../../errors.ts';
import { LOCAL_SECURITY } from '../../rest/auth/settings.ts';
import { restApp } from '../../rest/rest-app.ts';
import type { GlobalOptions } from '../options.ts';
import { chosenServer } from '../remote/choose-server.ts';
import { here } from '../this-run.ts';
import { notesLogger, withTasker } from '../with-tasker.ts';
import type { Ask } from './tool.ts';

/** The API that the tools use. */
export interface Backend {
  /** The address of the API, without secrets. */
  place: string;
  ask: Ask;
}

/** Runs `use` with the API of a server, or with the API of a database, which then runs in this process. */
export async function withBackend(
  options: GlobalOptions,
  { mayWrite }: { mayWrite: boolean },
  use: (backend: Backend) => Promise<void>,
): Promise<void> {
  const server = await chosenServer(options);
  if (server) {
    const { url: baseUrl, apiKey, token } = server;
    return use({ place: baseUrl, ask: asking({ baseUrl, apiKey, token }, fetch, mayWrite) });
  }
  await withTasker(options, {}, async (tasker) => {
    const loaded = loadConfig({ ...here(), overrides: { databaseUrl: options.databaseUrl } });
    const { environment } = loaded.config;
    const app = restApp({
      tasker,
      logger: notesLogger(options),
      facts: { version: packageVersion(), environment, state: () => 'running' },
      config: { configuration: () => shownConfig(loaded, environment) },
      // Access to the database permits everything, as with the other commands.
      security: { ...LOCAL_SECURITY, auth: { ...LOCAL_SECURITY.auth, required: 'never' } },
    });
    const send = async (url: unknown, init?: RequestInit) => app.request(String(url), init);
    await use({ place: tasker.place, ask: asking({ baseUrl: 'http://localhost' }, send as typeof fetch, mayWrite) });
  });
}

/** `mayWrite`: if false, rejects every request other than GET, regardless of the tool. */
function asking(to: Parameters<typeof createClient>[0], send: typeof fetch, mayWrite: boolean): Ask {
  const client = createClient({
    ...to,
    fetch: async (url, init) => {
      const response = await send(url, init);
      const type = response.headers.get('content-type') ?? '';
      if (!response.ok || type.includes('json')) return response;
      return Response.json({ text: await response.text() });
    },
  });
  return async ({ method, path, query, body }) => {
    if ('mistake' in path) throw path.mistake;
    if (method !== 'GET' && !mayWrite) {
      throw new TaskerError('forbidden', `tasker mcp was started without --allow-writes, so ${method} is rejected`);
    }
    return client.request(method, path.text, { query, body });
  };
}
