import type { Document, LineCounter, YAMLError } from 'yaml';
import { messageOf } from '../errors.ts';
import { loadYaml, type Places, type TextProblem, textError, yamlToPlain } from './yaml-to-plain.ts';

/** Maximum size of a file in bytes. */
const LARGEST = 1024 * 1024;

/** A YAML text as plain data, with the places of its values. */
export interface ReadYaml {
  text: string;
  /** JSON data. Undefined if the text cannot be read. */
  data: unknown;
  /** The places inside each object and list of the data. */
  places: WeakMap<object, Places>;
  problems: TextProblem[];
  lines: LineCounter;
  /** The offset of the root value. */
  start: number;
}

/** Hints that are missing in the messages of the YAML parser. */
const HINTS: Partial<Record<YAMLError['code'], string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  BAD_SCALAR_START: 'put the value in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'put a value that contains `: ` in quotes, or check the indentation',
  MULTILINE_IMPLICIT_KEY: 'check the indentation of this line',
  BAD_INDENT: 'close the bracket, or check the indentation',
  MISSING_CHAR: 'check the quotes, colons and indentation of this line',
};

/** Reads the single YAML document of a file. */
export function readYaml(text: string): ReadYaml {
  const lines = new (loadYaml().LineCounter)();
  const read: ReadYaml = { text, data: undefined, places: new WeakMap(), problems: [], lines, start: 0 };
  const unreadable = unreadableText(text);
  if (unreadable) {
    for (const { index } of text.matchAll(/^/gm)) lines.addNewLine(index);
    return { ...read, problems: [unreadable] };
  }
  const document = parsed(text, lines);
  if (typeof document === 'string') return { ...read, problems: [textError('yaml_syntax', document)] };
  const syntax = syntaxProblems(document, lines);
  if (syntax.some(({ code }) => code === 'yaml_syntax')) return { ...read, problems: syntax };
  if (document.contents === null) {
    const message = 'the file is empty; a template needs at least name, namespace, version and steps';
    return { ...read, problems: [...syntax, textError('empty_file', message)] };
  }
  const { data, places, problems } = yamlToPlain(document.contents);
  const start = document.contents.range?.[0] ?? 0;
  return { ...read, data, places, problems: [...syntax, ...problems], start };
}

function parsed(text: string, lineCounter: LineCounter): Document.Parsed | string {
  try {
    // Duplicate keys are found by yamlToPlain, which names them. The parser's own check is quadratic.
    return loadYaml().parseDocument(text, { lineCounter, uniqueKeys: false, prettyErrors: false });
  } catch (thrown) {
    if (thrown instanceof RangeError) return 'the file is nested too deeply';
    return `the file cannot be parsed as YAML: ${messageOf(thrown)}`;
  }
}

/** Returns the problem of a string that cannot be parsed at all: too large, or not UTF-8. */
function unreadableText(text: string): TextProblem | null {
  const bytes = Buffer.byteLength(text);
  if (bytes > LARGEST) {
    return textError('file_too_large', `the file has ${bytes} bytes, but the maximum is ${LARGEST}`);
  }
  const offset = text.search(/[\u{FFFD}\0]/u);
  return offset < 0 ? null : textError('not_utf8', 'a character is not UTF-8; save the file as UTF-8', offset);
}

/** Returns the first syntax error on each line. Other errors on the same line are consequences of the first error. */
function syntaxProblems({ errors, warnings }: Document.Parsed, lines: LineCounter): TextProblem[] {
  const seen = new Set<number>();
  const first = errors.filter(({ pos }) => {
    const { line } = lines.linePos(pos[0]);
    return !seen.has(line) && seen.add(line);
  });
  const tags = warnings.map(({ message, pos }): TextProblem => {
    const says = `${uncapitalized(message)}; it is ignored`;
    return { severity: 'warning', code: 'yaml_tag', message: says, offset: pos[0] };
  });
  return [...first.map(syntaxProblem), ...tags];
}

function syntaxProblem({ code, message, pos: [offset] }: YAMLError): TextProblem {
  if (code === 'MULTIPLE_DOCS') {
    const says = 'a second document starts here; a file must contain one template, so move the other to its own file';
    return textError('several_documents', says, offset);
  }
  if (code === 'RESOURCE_EXHAUSTION')
    return textError('yaml_syntax', 'lists and maps are nested too deeply here', offset);
  const hint = HINTS[code];
  return textError('yaml_syntax', hint ? `${uncapitalized(message)}; ${hint}` : uncapitalized(message), offset);
}

function uncapitalized(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
