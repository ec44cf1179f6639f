import type { TaskFilter } from '../../app/operator-types.ts';

/** Options whose name differs from the name of the condition. */
const OPTIONS: Record<string, string> = { namespace: '-n', reason: '--task-reason' };

/** Returns a command with the options of a filter, quoted for a shell. `acts`: whether the command acts on tasks. */
export function commandOf(command: string, filter: TaskFilter, { acts }: { acts: boolean }): string {
  const options = Object.entries(filter).flatMap(([key, value]) => {
    if (value === undefined || value === false) return [];
    const option = optionOf(key, acts);
    if (value === true) return [option];
    return [value as unknown].flat().map((one) => `${option} ${quoted(textOf(one))}`);
  });
  return ['npx tasker', command, ...options].join(' ');
}

function optionOf(key: string, acts: boolean): string {
  if (key === 'reason' && !acts) return '--reason';
  return OPTIONS[key] ?? `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Quotes a string for a POSIX shell, if necessary. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
