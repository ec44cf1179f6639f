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

/** One thing that is wrong (`error`) or odd (`warning`) in a template file. */
export interface TemplateProblem {
  severity: 'error' | 'warning';
  /** What kind of problem it is, as `unknown_step`. */
  code: string;
  /** What is wrong, and the way out. */
  message: string;
  file: string | null;
  /** Starts at 1. 0 for a template that was given as an object. */
  line: number;
  /** Starts at 1. 0 for a template that was given as an object. */
  column: number;
  /** As `steps[2].retry.max_attempts`, keys as the file spells them; empty for the file itself. */
  path: string;
}

/** Options of {@link parseTemplate}. */
export interface ParseOptions {
  /** The file's name, for the problems. */
  file?: string;
  /** The environment whose overrides are applied; undefined: none. */
  environment?: string;
}

/** What a file came to: `template` is null iff one of the problems is an error. */
export interface ParsedTemplate {
  template: TaskTemplate | null;
  /** All of them, by line. */
  problems: TemplateProblem[];
}

/** A file that is wrong in more places is told about the first of them. */
const MOST_PROBLEMS = 1000;

/** The message of {@link mustParseTemplate} names so many errors. */
const MOST_IN_MESSAGE = 20;

/**
 * Parses a template file and checks it whole: all problems at once, each with its line, column and a way out. It reads
 * nothing but the text and never throws for what the text says.
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
 * The problem as one line, in the form that editors and terminals make links of:
 * ``orders.yaml:14:9: error: unknown step `valdate` in depends_on of `ship`; did you mean `validate`?``
 *
 * @example
 * const { problems } = parseTemplate(text, { file: 'orders.yaml' });
 * for (const problem of problems) console.error(formatProblem(problem));
 */
export function formatProblem({ severity, message, file, line, column, path }: TemplateProblem): string {
  if (line === 0) return `${[file ?? 'template', path].filter(Boolean).join(': ')}: ${severity}: ${message}`;
  return `${file ?? 'template'}:${line}:${column}: ${severity}: ${message}`;
}

/**
 * The template of a file that must be right.
 *
 * Throws `template_invalid`: its message has the errors, `details.problems` all problems. Warnings are
 * passed over; who wants to see them calls {@link parseTemplate}.
 *
 * @example
 * const template = mustParseTemplate(await readFile('orders.yaml', 'utf8'), { file: 'orders.yaml' });
 */
export function mustParseTemplate(text: string, options: ParseOptions = {}): TaskTemplate {
  const { template, problems } = parseTemplate(text, options);
  if (template) return template;
  const errors = problems.filter(({ severity }) => severity === 'error').map(formatProblem);
  const shown = errors.slice(0, MOST_IN_MESSAGE);
  const lines = shown.length < errors.length ? [...shown, 'and more, in details.problems'] : shown;
  throw new TaskerError('template_invalid', lines.join('\n'), { details: { problems } });
}

/** What was found out otherwise about a file that parses, as problems with their places. */
export function problemsAt(text: string, findings: readonly Finding[], file?: string): TemplateProblem[] {
  const read = readYaml(text.replace(/^\uFEFF/, ''));
  return sorted(findings.map((finding) => problemOf(read, finding, file)));
}

function problemOf(
  read: ReadYaml,
  { path, atKey, severity, code, message }: Finding,
  file: string | undefined,
): TemplateProblem {
  const { place, written } = locate(read, path);
  const position = positionOf(read, atKey ? place.key : place.value);
  return { severity, code, message, file: file ?? null, ...position, path: pathText(written) };
}

function positionOf({ lines }: ReadYaml, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** By place; errors before warnings where they share one. Cut so that an error stays among those shown. */
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
