import { type LoadConfigOptions, loadConfig } from '../../config/load-config.ts';
import type { LogFilter } from '../../config/log-filter.ts';
import { isTaskerError } from '../../errors.ts';
import { type ConsoleLoggerOptions, consoleLogger } from '../../logging/console-logger.ts';
import type { Logger } from '../../logging/logger.ts';

/** Options of {@link programLogger}. */
export interface ProgramLoggerOptions {
  /** Default: what `TASKER_LOG`, `LOG_LEVEL`, `RUST_LOG` or the configuration file says, else info. */
  level?: string | undefined;
  /** Default: JSON, but readable lines on a terminal in development. */
  form?: ConsoleLoggerOptions['form'] | undefined;
  write?: ConsoleLoggerOptions['write'];
  /** Which configuration to read; that of this process by default. */
  from?: LoadConfigOptions;
}

/** The logger of a program that is a worker: on standard error, with levels by part, without credentials. */
export function programLogger({ level, form, write, from }: ProgramLoggerOptions = {}): Logger {
  const { log, environment } = configured(from);
  return workerLogger({ log: level === undefined ? log : { level }, environment }, { form, write });
}

/** The same for a configuration that is known: readable lines on a terminal in development, else JSON. */
export function workerLogger(
  { log, environment }: { log: Pick<ConsoleLoggerOptions, 'level' | 'modules'>; environment: string },
  { form, write }: Pick<ProgramLoggerOptions, 'form' | 'write'> = {},
): Logger {
  const forPeople = environment === 'development' && process.stderr.isTTY;
  return consoleLogger({ ...log, form: form ?? (forPeople ? 'lines' : 'json'), write });
}

/** Of a configuration that is wrong nothing counts here: what is wrong is told by the start that comes next. */
function configured(from: LoadConfigOptions | undefined): { log: LogFilter; environment: string } {
  try {
    return loadConfig(from).config;
  } catch (error) {
    if (!isTaskerError(error)) throw error;
    return { log: { level: 'info', modules: {} }, environment: 'production' };
  }
}
