import { formatConfigProblem } from './config-problem.ts';

/** Levels of log lines, the most detailed first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
/** One of `trace`, `debug`, `info`, `warn`, `error`: how important a line is. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The variables that hold a filter of log lines; the first one that is set counts. */
export const LOG_VARIABLES = ['TASKER_LOG', 'LOG_LEVEL', 'RUST_LOG'] as const;

/** What may stand in a filter. `off`: nothing is written. */
export const FILTER_LEVELS = [...LOG_LEVELS, 'off'] as const;
export type FilterLevel = LogLevel | 'off';

/** What lines are wanted: a level for all, and others for some modules. */
export interface LogFilter {
  level: FilterLevel;
  /** By the name of a module; more detailed or less than `level`. */
  modules: Record<string, FilterLevel>;
}

/**
 * Reads a filter as `LOG_LEVEL` and `RUST_LOG` have it: `debug`, or `worker=debug,info`, where the level without a name
 * is the one for all; `off` is none. Parts that are not understood are handed back; without a usable level for all it is info.
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

/** The filter from the environment, and the warning about its invalid parts. */
export function logFilterOf(env: NodeJS.ProcessEnv = process.env): { filter: LogFilter; warning: string | undefined } {
  const variable = LOG_VARIABLES.find((one) => env[one]);
  const { filter, bad } = parseLogFilter(variable === undefined ? '' : env[variable]!);
  if (variable === undefined || bad.length === 0) return { filter, warning: undefined };
  return { filter, warning: formatConfigProblem({ where: variable, message: unknownLevels(bad, filter) }) };
}
