import { formatConfigProblem } from './config-problem.ts';

/** Levels of log lines, the most detailed first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
/** The level of a log line: `trace`, `debug`, `info`, `warn` or `error`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The environment variables with a log filter; the first that is set is used. */
export const LOG_VARIABLES = ['TASKER_LOG', 'LOG_LEVEL', 'RUST_LOG'] as const;

/** The levels in a filter. `off`: no lines are written. */
export const FILTER_LEVELS = [...LOG_LEVELS, 'off'] as const;
export type FilterLevel = LogLevel | 'off';

/** Selects log lines: a level for all modules, and other levels for some. */
export interface LogFilter {
  level: FilterLevel;
  /** Levels by the name of a module, higher or lower than `level`. */
  modules: Record<string, FilterLevel>;
}

/**
 * Parses a filter in the form of `LOG_LEVEL` and `RUST_LOG`: `debug`, or `worker=debug,info`, where the level without a
 * name is for all other modules. `off` selects no lines. The default level is info. Invalid parts are returned in `bad`.
 */
export function parseLogFilter(text: string): { filter: LogFilter; bad: string[] } {
  const filter: LogFilter = { level: 'info', modules: {} };
  const bad: string[] = [];
  for (const part of text.split(',').map((one) => one.trim())) {
    if (part === '') continue;
    const [head = '', ...rest] = part.split('=').map((one) => one.trim());
    const level = levelOf(rest.length === 0 ? head : rest.join('='));
    if (level === undefined || head === '') bad.push(part);
    else if (rest.length === 0) filter.level = level;
    else filter.modules[head] = level;
  }
  return { filter, bad };
}

function levelOf(text: string): FilterLevel | undefined {
  const plain = text.toLowerCase();
  return FILTER_LEVELS.find((level) => level === plain || (level === 'warn' && plain === 'warning'));
}

/** The warning about invalid parts of a filter. */
export function unknownLevels(bad: readonly string[], { level }: LogFilter): string {
  return `${bad.join(', ')} is not one of ${FILTER_LEVELS.join(', ')}; ${level} is used`;
}

/** Returns the filter from the environment, and a warning about its invalid parts. */
export function logFilterOf(env: NodeJS.ProcessEnv = process.env): { filter: LogFilter; warning: string | undefined } {
  const variable = LOG_VARIABLES.find((one) => env[one]);
  const { filter, bad } = parseLogFilter(variable === undefined ? '' : env[variable]!);
  if (variable === undefined || bad.length === 0) return { filter, warning: undefined };
  return { filter, warning: formatConfigProblem({ where: variable, message: unknownLevels(bad, filter) }) };
}
