import { type LoadedConfig, loadConfig, withOverrides } from '../config/load-config.ts';
import { loggerOf } from '../logging/any-logger.ts';
import type { Logger } from '../logging/logger.ts';
import { Assembly } from './assembly.ts';
import type { Tasker } from './tasker.ts';
import { type CreateTaskerOptions, LIMIT_OPTIONS, refuseUnknown, TASKER_OPTIONS } from './tasker-options.ts';

export type { CreateTaskerOptions } from './tasker-options.ts';

/**
 * Connects to PostgreSQL, or starts the embedded server, registers the templates, and runs steps.
 *
 * @example
 * const greet = defineHandler('greet', { inputs: { name: 'name' } }, async ({ name }) => ({ greeting: `Hello ${name}` }));
 * const tasker = await createTasker({ templates: './templates', handlers: [greet] });
 * const task = await tasker.createTask({ namespace: 'demo', name: 'hello', version: '1.0.0', context: { name: 'Ada' } });
 * const done = await tasker.waitForTask(task.taskUuid, { timeoutMs: 10_000 });
 * await tasker.stop();
 * @throws TaskerError `config_invalid`, `database_unreachable`, `database_too_old`, `database_url_missing`, `template_invalid`, `handler_invalid` …
 */
export async function createTasker(given: CreateTaskerOptions = {}): Promise<Tasker> {
  refuseUnknown('createTasker', given, TASKER_OPTIONS);
  refuseUnknown('createTasker: limits', given.limits, LIMIT_OPTIONS);
  const { options, warnings: ofWorkflows } = await completed(given);
  const loaded = configOf(options);
  const logger = options.logger ? loggerOf(options.logger) : await defaultLogger(loaded);
  // The warnings of a configuration that was passed in were reported when it was loaded.
  const warnings = [...(options.config ? [] : loaded.warnings), ...ofWorkflows];
  const { worker, handlers, publishers, subscribers, sinks } = options;
  const needsWorkerCode = worker || [handlers, publishers, subscribers, sinks].some((one) => one !== undefined);
  const workerCode = needsWorkerCode ? await import('./process/worker-code.ts') : undefined;
  return new Assembly({ loaded, options, logger, warnings, workerCode }).start();
}

/** Returns the options with the templates and handlers of the workflows, and the warnings about them. */
async function completed(given: CreateTaskerOptions): Promise<{ options: CreateTaskerOptions; warnings: string[] }> {
  if (!given.workflows) return { options: given, warnings: [] };
  const { withWorkflows, workflowWarnings } = await import('./project/with-workflows.ts');
  return { options: withWorkflows(given), warnings: workflowWarnings(given.workflows) };
}

/** The configuration with the options applied. Omits `environment`, which affects only templates here. */
function configOf(options: CreateTaskerOptions): LoadedConfig {
  const { environment: _, limits = {}, ...given } = options;
  const loaded = options.config ?? loadConfig({ configPath: options.configPath });
  return withOverrides(loaded, { ...given, ...limits });
}

/** Logs only warnings unless a level is configured: an application may not expect log lines on standard error. */
async function defaultLogger({ config: { environment, log }, sources }: LoadedConfig): Promise<Logger> {
  const { consoleLogger } = await import('../logging/console-logger.ts');
  const form = process.stderr.isTTY && environment !== 'production' ? 'lines' : 'json';
  return consoleLogger({ ...(sources.log.from === 'default' ? { level: 'warn' } : log), form });
}
