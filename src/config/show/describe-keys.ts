import { CONFIG_KEYS, CONFIG_NAMES, type ConfigName } from '../config-keys.ts';
import { INEFFECTIVE_KEYS } from '../ineffective-keys.ts';
import { shownValue } from './show-config.ts';

/** The default of a key in words, code in backquotes. */
export function defaultOf(name: ConfigName): string {
  const { byDefault, defaultWords } = CONFIG_KEYS[name];
  return defaultWords ?? `\`${JSON.stringify(shownValue(name, byDefault))}\``;
}

const listed = (names: readonly string[]): string => names.map((one) => `\`${one}\``).join(', ');

/** The table of all keys that have an effect, in Markdown. */
export function keysTable(): string {
  const rows = CONFIG_NAMES.map((name) => {
    const { path, also = [], variables = [], about, form } = CONFIG_KEYS[name];
    const names = also.length > 0 ? `\`${path}\`, else ${listed(also)}` : `\`${path}\``;
    return `| ${names} | ${about} | ${form.words} | ${defaultOf(name)} | ${listed(variables)} |`;
  });
  const head = '| key | what it does | must be | default | variable |\n|---|---|---|---|---|';
  return [head, ...rows].join('\n');
}

/** The table of keys that are accepted and have no effect, in Markdown. */
export function ineffectiveTable(): string {
  const byReason = new Map<string, string[]>();
  for (const [key, reason] of Object.entries(INEFFECTIVE_KEYS)) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), key]);
  }
  const rows = [...byReason].map(([reason, keys]) => `| ${listed(keys)} | ${reason} |`);
  return ['| keys | why |\n|---|---|', ...rows].join('\n');
}
