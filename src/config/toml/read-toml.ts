import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { messageOf, TaskerError } from '../../errors.ts';
import type { ConfigProblem } from '../config-problem.ts';
import { locateKeys } from './locate-keys.ts';
import { scanToml, type TomlPiece } from './scan-toml.ts';
import { substituteVariables } from './substitute-variables.ts';

/** A table of a TOML file. */
export type TomlTable = { [key: string]: unknown };

/** The content of one file. */
export interface TomlFile {
  /** The path for messages. */
  file: string;
  table: TomlTable;
  lines: ReadonlyMap<string, number>;
  problems: ConfigProblem[];
}

/** Reads the text of a configuration file. @throws TaskerError `config_invalid` */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
      .replace(/^\uFEFF/, '')
      .replaceAll('\r\n', '\n');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new TaskerError('config_invalid', `${path}: ${missing ? 'file not found' : messageOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Reads one file: replaces variables, then parses the TOML. Returns problems instead of throwing, so that all can be
 * reported together. Without `env`, variables are not replaced.
 */
export function readToml(
  path: string,
  { shown, env }: { shown: string; env: NodeJS.ProcessEnv | undefined },
): TomlFile {
  const source = textOf(path);
  const { text, problems } = env
    ? substituteVariables(source, { file: shown, env })
    : { text: asTexts(source), problems: [] };
  // Loaded only for a file. `import` would make every caller asynchronous.
  const { parse, TomlError } = createRequire(import.meta.url)('smol-toml') as typeof import('smol-toml');
  const lines = locateKeys(source);
  try {
    return { file: shown, table: withoutDocs(parse(text)), lines, problems };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ''] = error.message.split('\n');
    const message = `invalid TOML: ${first.replace(/^Invalid TOML document: /, '')}`;
    // A variable that could not be replaced is the likelier reason, and is already reported.
    const more = problems.length > 0 ? [] : [{ where: shown, line: error.line, message }];
    return { file: shown, table: {}, lines, problems: [...problems, ...more] };
  }
}

const MARK = 'tasker variable ';

/** The form in which {@link readToml} keeps an unquoted variable that it does not replace. */
export const WRITTEN_VARIABLE = new RegExp(`"${MARK}(\\$\\{[^}]*\\})"`, 'g');

/** An unquoted `${…}` is not valid TOML. Replaces it with a marked string, which the writer recognizes. */
function asTexts(source: string): string {
  const piece = ({ kind, start, end }: TomlPiece) => {
    const text = source.slice(start, end);
    return kind === 'code' ? text.replace(/\$\{[^}]*\}/g, (variable) => JSON.stringify(MARK + variable)) : text;
  };
  return scanToml(source).map(piece).join('');
}

/** Returns whether a value is a table. Dates and lists are not tables. */
export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Removes the `_docs` keys, which explain other keys to readers. */
function withoutDocs(table: TomlTable): TomlTable {
  const kept = Object.entries(table).filter(([key]) => key !== '_docs');
  return Object.fromEntries(kept.map(([key, value]) => [key, isTable(value) ? withoutDocs(value) : value]));
}
