import { TaskerError } from '../errors.ts';
import { applyEnvironment } from './apply-environment.ts';
import { buildTemplate } from './build-template.ts';
import { checkForm } from './check-form.ts';
import { findingsOf } from './find-problems.ts';
import { locate, pathText } from './locate.ts';
import { type ReadYaml, readYaml } from './read-yaml.ts';
import { firstSpelling } from './spellings.ts';
import type { Finding } from './step-rules.ts';
import type { TaskTemplate } from './task-template.ts';
import { formatProblem, type TemplateProblem } from './template-problem.ts';

export { formatProblem, type TemplateProblem };

/** Options of {@link parseTemplate}. */
export interface ParseOptions {
  /** The file name to show in problems. */
  file?: string;
  /** The environment whose overrides are applied. Default: none. */
  environment?: string;
}

/** The outcome of parsing a file. `template` is null if and only if one of the problems is an error. */
export interface ParsedTemplate {
  template: TaskTemplate | null;
  /** All problems, sorted by line. */
  problems: TemplateProblem[];
}

/** Maximum number of reported problems. */
const MOST_PROBLEMS = 1000;

/** Maximum number of errors in the message of {@link mustParseTemplate}. */
const MOST_IN_MESSAGE = 20;

/**
 * Parses and checks a template file. Returns all problems together, each with its line, its column and how to fix it.
 * Reads only the given text, and never throws because of its contents.
 *
 * @example
 * const { template, problems } = parseTemplate(text, { file: 'orders.yaml', environment: 'production' });
 * for (const problem of problems) console.error(formatProblem(problem));
 */
export function parseTemplate(text: string, { file, environment }: ParseOptions = {}): ParsedTemplate {
  const read = readYaml(text.replace(/^\uFEFF/, ''));
  const fromText = read.problems.map(({ offset, ...problem }): TemplateProblem => {
    return { ...problem, ...positionOf(read, offset), file: file ?? null, path: '' };
  });
  const unreadable = read.data === undefined || read.problems.some(({ code }) => code === 'yaml_syntax');
  if (unreadable) return { template: null, problems: sorted(fromText) };

  const { data, twice } = firstSpelling(read.data);
  const form = checkForm(data);
  const found = findingsOf(read, { data, twice, form });
  const problems = sorted([...fromText, ...found.map((finding) => problemOf(read, finding, file))]);
  if (form.file === null || problems.some(({ severity }) => severity === 'error')) return { template: null, problems };
  return { template: applyEnvironment(buildTemplate(form.file), environment), problems };
}

/**
 * Parses a template file and returns the template.
 *
 * Throws `template_invalid` if the file has errors. The message lists the errors, and `details.problems` has all
 * problems. Warnings are ignored; use {@link parseTemplate} to see them.
 *
 * @example
 * const template = mustParseTemplate(await readFile('orders.yaml', 'utf8'), { file: 'orders.yaml' });
 */
export function mustParseTemplate(text: string, options: ParseOptions = {}): TaskTemplate {
  const { template, problems } = parseTemplate(text, options);
  if (template) return template;
  const errors = problems.filter(({ severity }) => severity === 'error').map(formatProblem);
  const shown = errors.slice(0, MOST_IN_MESSAGE);
  const lines = shown.length < errors.length ? [...shown, 'more errors are in details.problems'] : shown;
  throw new TaskerError('template_invalid', lines.join('\n'), { details: { problems } });
}

/** Returns findings of other checks on a file that parses, as problems with their places. */
export function problemsAt(text: string, findings: readonly Finding[], file?: string): TemplateProblem[] {
  const read = readYaml(text.replace(/^\uFEFF/, ''));
  return sorted(findings.map((finding) => problemOf(read, finding, file)));
}

function problemOf(
  read: ReadYaml,
  { path, atKey, inside, severity, code, message }: Finding,
  file: string | undefined,
): TemplateProblem {
  const { place, written } = locate(read, path);
  const position = positionOf(read, atKey ? place.key : inside ? offsetInside(read, place.value, inside) : place.value);
  return { severity, code, message, file: file ?? null, ...position, path: pathText(written) };
}

/** The header of a block scalar and the indentation of its lines may precede a line. */
const LONGEST_GAP = 200;

/**
 * Returns the offset of a place inside a scalar, if the file has the lines of its text as they are. Otherwise the offset
 * of the scalar.
 */
function offsetInside({ text }: ReadYaml, value: number, inside: NonNullable<Finding['inside']>): number {
  const lines = inside.text.slice(0, inside.offset).split('\n');
  const column = lines.pop()!.length;
  let at = value;
  for (const line of inside.text.split('\n').slice(0, lines.length + 1)) {
    const start = text.indexOf(line, at);
    if (start < 0 || start - at > LONGEST_GAP) return value;
    at = start + line.length;
  }
  return at - inside.text.split('\n')[lines.length]!.length + column;
}

function positionOf({ lines }: ReadYaml, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** Sorts by place, errors before warnings. If the list is truncated, an error is kept among the shown problems. */
function sorted(problems: TemplateProblem[]): TemplateProblem[] {
  problems.sort(
    (a, b) =>
      a.line - b.line || a.column - b.column || Number(a.severity === 'warning') - Number(b.severity === 'warning'),
  );
  if (problems.length <= MOST_PROBLEMS) return problems;
  const shown = problems.slice(0, MOST_PROBLEMS - 1);
  const rest = problems.slice(MOST_PROBLEMS - 1);
  const worst = rest.find(({ severity }) => severity === 'error') ?? rest[0]!;
  return [...shown, { ...worst, message: `${worst.message} (and ${rest.length - 1} more problems in the file)` }];
}
