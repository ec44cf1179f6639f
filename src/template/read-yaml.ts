import { type Document, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { messageOf } from '../errors.ts';
import { yamlToPlain } from './yaml-to-plain.ts';

/** A file may be as long, in bytes. */
const LARGEST = 1024 * 1024;

/** A problem where the text, not yet the template, is wrong. */
export interface TextProblem {
  severity: 'error' | 'warning';
  code: string;
  message: string;
  /** Into the text, from 0. */
  offset: number;
}

/** Where one value of the file stands. */
export interface Place {
  key: number;
  value: number;
  /** A scalar as it is written, without quotes. */
  source?: string;
}

/** Places of a map's values by key, of a list's items by index. */
export type Places = Map<string | number, Place>;

/** A YAML text as plain data, with places. */
export interface ReadYaml {
  /** JSON data; undefined when the text can't be read. */
  data: unknown;
  /** The places inside each object and list of the data. */
  places: WeakMap<object, Places>;
  problems: TextProblem[];
  lines: LineCounter;
  /** Where the root begins. */
  start: number;
}

/** What the words of the YAML parser leave open: what it wants, or what to do. */
const WAYS_OUT: Partial<Record<YAMLError['code'], string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  BAD_SCALAR_START: 'put the value in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'put a value that holds `: ` in quotes, or check the indentation',
  MULTILINE_IMPLICIT_KEY: 'check the indentation of this line',
  BAD_INDENT: 'close the bracket, or check the indentation',
  MISSING_CHAR: 'check the quotes, colons and indentation of this line',
};

/** Reads the one YAML document of a file. */
export function readYaml(text: string): ReadYaml {
  const lines = new LineCounter();
  const read: ReadYaml = { data: undefined, places: new WeakMap(), problems: [], lines, start: 0 };
  const unreadable = unreadableText(text);
  if (unreadable) {
    for (const { index } of text.matchAll(/^/gm)) lines.addNewLine(index);
    read.problems.push({ severity: 'error', ...unreadable });
    return read;
  }
  const document = parsed(text, lines);
  if (typeof document === 'string') {
    read.problems.push({ severity: 'error', code: 'yaml_syntax', message: document, offset: 0 });
    return read;
  }
  read.problems.push(...syntaxProblems(document, lines));
  if (read.problems.some(({ code }) => code === 'yaml_syntax')) return read;
  if (document.contents === null) {
    const message = 'the file is empty; a template has at least name, namespace_name, version and steps';
    read.problems.push({ severity: 'error', code: 'empty_file', message, offset: 0 });
    return read;
  }
  const { data, places, problems } = yamlToPlain(document.contents);
  read.problems.push(...problems);
  return { ...read, data, places, start: document.contents.range?.[0] ?? 0 };
}

function parsed(text: string, lineCounter: LineCounter): Document.Parsed | string {
  try {
    // Doubled keys are found by yamlToPlain, which names them; the parser's own search is quadratic.
    return parseDocument(text, { lineCounter, uniqueKeys: false, prettyErrors: false });
  } catch (thrown) {
    if (thrown instanceof RangeError) return 'the file is nested too deeply to be read';
    return `the file can't be read as YAML: ${messageOf(thrown)}`;
  }
}

/** What can't be a template, whatever it says. */
function unreadableText(text: string): { code: string; message: string; offset: number } | null {
  const bytes = Buffer.byteLength(text);
  if (bytes > LARGEST) {
    return {
      code: 'file_too_large',
      message: `the file has ${bytes} bytes; a template may have ${LARGEST}`,
      offset: 0,
    };
  }
  const offset = text.search(/[\u{FFFD}\0]/u);
  return offset < 0 ? null : { code: 'not_utf8', message: 'a character is not UTF-8; save the file as UTF-8', offset };
}

/** The first syntax error of each line; the others of a line follow from it. */
function syntaxProblems({ errors, warnings }: Document.Parsed, lines: LineCounter): TextProblem[] {
  const seen = new Set<number>();
  const problems = errors.filter(({ pos }) => {
    const { line } = lines.linePos(pos[0]);
    return !seen.has(line) && seen.add(line);
  });
  return [
    ...problems.map(syntaxProblem),
    ...warnings.map(({ message, pos }): TextProblem => {
      return {
        severity: 'warning',
        code: 'yaml_tag',
        message: `${uncapitalized(message)}; it is passed over`,
        offset: pos[0],
      };
    }),
  ];
}

function syntaxProblem({ code, message, pos }: YAMLError): TextProblem {
  if (code === 'MULTIPLE_DOCS') {
    const says = 'a second document begins here; a file holds one template, put the other into a file of its own';
    return { severity: 'error', code: 'several_documents', message: says, offset: pos[0] };
  }
  if (code === 'RESOURCE_EXHAUSTION') {
    const says = 'lists and maps stand too deep inside one another here';
    return { severity: 'error', code: 'yaml_syntax', message: says, offset: pos[0] };
  }
  const wayOut = WAYS_OUT[code];
  const says = wayOut ? `${uncapitalized(message)}; ${wayOut}` : uncapitalized(message);
  return { severity: 'error', code: 'yaml_syntax', message: says, offset: pos[0] };
}

function uncapitalized(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
