import { wrongValue } from './check-keys.ts';
import { CONFIG_KEYS, CONFIG_NAMES, type ConfigKey, type ConfigName, type TaskerConfig } from './config-keys.ts';
import type { ConfigProblem } from './config-problem.ts';
import { parseLogFilter, unknownLevels } from './log-filter.ts';

/** A value from the environment, and its variable. */
export interface FromVariable {
  name: ConfigName;
  variable: string;
  value: TaskerConfig[ConfigName];
}

/** The values in the environment, and the problems with them. */
export interface ReadVariables {
  given: FromVariable[];
  errors: ConfigProblem[];
  warnings: ConfigProblem[];
}

/** Reads the variables of all keys. An empty variable is treated as not set. */
export function readVariables(env: NodeJS.ProcessEnv = process.env): ReadVariables {
  const read: ReadVariables = { given: [], errors: [], warnings: [] };
  for (const name of CONFIG_NAMES) readVariable(name, env, read);
  return read;
}

function readVariable<Name extends ConfigName>(name: Name, env: NodeJS.ProcessEnv, read: ReadVariables): void {
  const key: ConfigKey<TaskerConfig[Name]> = CONFIG_KEYS[name];
  const variable = key.variables?.find((one) => env[one]);
  if (variable === undefined) return;
  const text = env[variable]!;
  if (name === 'log') {
    readLogFilter({ variable, text }, read);
    return;
  }
  const value = key.form.schema.safeParse(key.form.ofText?.(text) ?? text);
  if (value.success) read.given.push({ name, variable, value: value.data });
  else if (key.variableUnchecked) read.given.push({ name, variable, value: text as TaskerConfig[Name] });
  else read.errors.push({ where: variable, key: key.path, message: wrongValue('the variable', key, text) });
}

/** An invalid log filter is only a warning: the program can still run. */
function readLogFilter({ variable, text }: { variable: string; text: string }, read: ReadVariables): void {
  const { filter, bad } = parseLogFilter(text);
  read.given.push({ name: 'log', variable, value: filter });
  if (bad.length === 0) return;
  read.warnings.push({ where: variable, key: CONFIG_KEYS.log.path, message: unknownLevels(bad, filter) });
}
