import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { messageOf, TaskerError } from '../../errors.ts';
import type { ConfigProblem } from '../config-problem.ts';
import { locateKeys } from './locate-keys.ts';
import { scanToml, type TomlPiece } from './scan-toml.ts';
import { substituteVariables } from './substitute-variables.ts';

/** A table of a TOML file. */
export type TomlTable = { [key: string]: unknown };

/** One file, read. */
export interface TomlFile {
  /** As it is shown to people. */
  file: string;
  table: TomlTable;
  lines: ReadonlyMap<string, number>;
  problems: ConfigProblem[];
}

/** The text of a configuration file. @throws TaskerError `config_invalid` */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
      .replace(/^\uFEFF/, '')
      .replaceAll('\r\n', '\n');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new TaskerError('config_invalid', `${path}: ${missing ? 'there is no such file' : messageOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Reads one file: variables, then TOML. What is wrong is told, not thrown, so that all of it can be told at once.
 * Without `env` variables are left as they stand.
 */
export function readToml(
  path: string,
  { shown, env }: { shown: string; env: NodeJS.ProcessEnv | undefined },
): TomlFile {
  const source = textOf(path);
  const { text, problems } = env
    ? substituteVariables(source, { file: shown, env })
    : { text: asTexts(source), problems: [] };
  const lines = locateKeys(source);
  try {
    return { file: shown, table: withoutDocs(parse(text)), lines, problems };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ''] = error.message.split('\n');
    const message = `this is not TOML: ${first.replace(/^Invalid TOML document: /, '')}`;
    // A variable that could not be replaced is the likelier reason, and told already.
    const more = problems.length > 0 ? [] : [{ where: shown, line: error.line, message }];
    return { file: shown, table: {}, lines, problems: [...problems, ...more] };
  }
}

const MARK = 'tasker variable ';

/** What {@link readToml} makes of a variable that stands bare, where it was told to leave them. */
export const WRITTEN_VARIABLE = new RegExp(`"${MARK}(\\$\\{[^}]*\\})"`, 'g');

/** A bare `${…}` is no TOML: it is read as a text with a mark, by which the writer knows it again. */
function asTexts(source: string): string {
  const piece = ({ kind, start, end }: TomlPiece) => {
    const text = source.slice(start, end);
    return kind === 'code' ? text.replace(/\$\{[^}]*\}/g, (variable) => JSON.stringify(MARK + variable)) : text;
  };
  return scanToml(source).map(piece).join('');
}

/** Whether a value is a table: dates and lists are not. */
export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** `_docs` beside a key explains it to people. */
function withoutDocs(table: TomlTable): TomlTable {
  const kept = Object.entries(table).filter(([key]) => key !== '_docs');
  return Object.fromEntries(kept.map(([key, value]) => [key, isTable(value) ? withoutDocs(value) : value]));
}
