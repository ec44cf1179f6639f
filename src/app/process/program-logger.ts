import { type LoadConfigOptions, loadConfig } from '../../config/load-config.ts';
import type { LogFilter } from '../../config/log-filter.ts';
import { isTaskerError } from '../../errors.ts';
import { type ConsoleLoggerOptions, consoleLogger } from '../../logging/console-logger.ts';
import type { Logger } from '../../logging/logger.ts';

/** Options of {@link programLogger}. */
export interface ProgramLoggerOptions {
  /** Default: `TASKER_LOG`, `LOG_LEVEL`, `RUST_LOG` or the configuration file, otherwise info. */
  level?: string | undefined;
  /** Default: readable lines on a terminal in development, otherwise JSON. */
  form?: ConsoleLoggerOptions['form'] | undefined;
  write?: ConsoleLoggerOptions['write'];
  /** Selects the configuration to read. Default: the configuration of this process. */
  from?: LoadConfigOptions;
}

/** Creates the logger of a worker program: on standard error, with levels by module, without credentials. */
export function programLogger({ level, form, write, from }: ProgramLoggerOptions = {}): Logger {
  const { log, environment } = configured(from);
  return workerLogger({ log: level === undefined ? log : { level }, environment }, { form, write });
}

/** Creates the same logger for a loaded configuration: readable lines on a terminal in development, otherwise JSON. */
export function workerLogger(
  { log, environment }: { log: Pick<ConsoleLoggerOptions, 'level' | 'modules'>; environment: string },
  { form, write }: Pick<ProgramLoggerOptions, 'form' | 'write'> = {},
): Logger {
  const forPeople = environment === 'development' && process.stderr.isTTY;
  return consoleLogger({ ...log, form: form ?? (forPeople ? 'lines' : 'json'), write });
}

/** Uses defaults if the configuration is invalid. The startup that follows reports the errors in it. */
function configured(from: LoadConfigOptions | undefined): { log: LogFilter; environment: string } {
  try {
    return loadConfig(from).config;
  } catch (error) {
    if (!isTaskerError(error)) throw error;
    return { log: { level: 'info', modules: {} }, environment: 'production' };
  }
}
