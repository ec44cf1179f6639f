import { nearestKey } from '../../config/check-keys.ts';
import { CONFIG_KEYS, CONFIG_NAMES, type ConfigName } from '../../config/config-keys.ts';
import { INEFFECTIVE_KEYS, ineffectiveRow } from '../../config/ineffective-keys.ts';
import { type LoadedConfig, loadConfig } from '../../config/load-config.ts';
import { defaultOf, phraseSource, shownValue } from '../../config/show/show-config.ts';
import { TaskerError } from '../../errors.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { fields, table } from '../show/text.ts';
import { here } from '../this-run.ts';

/**
 * `tasker config explain`: explains one key, or lists all. Accepts a key's name in the file, in code, or as a variable.
 */
export function configExplain(wanted: string | undefined, { json }: GlobalOptions): void {
  if (wanted === undefined) {
    listAll(json);
    return;
  }
  const name = nameOf(wanted);
  if (name === undefined) {
    explainIneffective(wanted, json);
    return;
  }
  const explained = explanationOf(name, loadConfig(here()));
  if (json) printJson(explained);
  else print(phrase(explained));
}

function nameOf(wanted: string): ConfigName | undefined {
  return CONFIG_NAMES.find((name) => {
    const { path, also = [], variables = [] } = CONFIG_KEYS[name];
    return [name, path, ...also, ...variables].includes(wanted);
  });
}

function listAll(json: boolean | undefined): void {
  const rows = CONFIG_NAMES.map((name) => ({ key: CONFIG_KEYS[name].path, about: CONFIG_KEYS[name].about }));
  if (json) printJson(rows);
  else
    print(
      table(
        ['key', 'what it does'],
        rows.map(({ key, about }) => [key, about]),
      ),
    );
}

function explainIneffective(wanted: string, json: boolean | undefined): void {
  const row = ineffectiveRow(wanted) ?? ineffectiveRow(`${wanted}.x`);
  if (row === undefined) {
    const near = nearestKey(wanted);
    const hint = near === undefined ? '`npx tasker config explain` lists all keys' : `did you mean ${near}?`;
    throw new TaskerError('bad_request', `unknown configuration key ${wanted}; ${hint}`);
  }
  const reason = INEFFECTIVE_KEYS[row]!;
  if (json) printJson({ key: wanted, effect: false, reason });
  else print(`${wanted} is accepted but has no effect: ${reason}`);
}

function explanationOf(name: ConfigName, { config, sources }: LoadedConfig) {
  const { path, also = [], variables = [], about, form } = CONFIG_KEYS[name];
  return {
    key: path,
    also,
    variables,
    option: name,
    effect: true,
    about,
    must_be: form.words,
    default: defaultOf(name).replaceAll('`', ''),
    value: shownValue(name, config[name]) ?? null,
    from: phraseSource(sources[name]),
  };
}

function phrase(explained: ReturnType<typeof explanationOf>): string {
  const { key, about, also, variables, option, value, from } = explained;
  const rows = fields([
    ['aliases', also.join(', ') || undefined],
    ['variable', variables.join(', ') || undefined],
    ['in code', option],
    ['must be', explained.must_be],
    ['default', explained.default],
    ['current value', value === null ? 'the default' : `${JSON.stringify(value)} (${from})`],
  ]);
  return `${pc.bold(key)}\n${about.replaceAll('`', '')}\n\n${rows}`;
}
