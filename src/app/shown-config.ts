import { redactUrl } from '../db/connection-error.ts';
import type { ServerSettings } from './server-config.ts';

/** Settings as they may be shown: no passwords, and nothing that is code. */
export function shownConfig({ tasker, handlers, environment, web, drainTimeoutMs }: ServerSettings) {
  const { databaseUrl, databaseDirectUrl, templates, logger: _logger, ...plain } = tasker;
  const listed = typeof templates === 'string' ? [templates] : Array.isArray(templates) ? templates : [];
  return JSON.parse(
    JSON.stringify({
      ...plain,
      environment,
      database_url: databaseUrl === undefined ? undefined : redactUrl(databaseUrl),
      database_direct_url: databaseDirectUrl === undefined ? undefined : redactUrl(databaseDirectUrl),
      templates: listed.filter((one) => typeof one === 'string'),
      handlers,
      drain_timeout_ms: drainTimeoutMs,
      web: web && { bind_address: `${web.address.host}:${web.address.port}` },
    }),
  ) as Record<string, unknown>;
}
