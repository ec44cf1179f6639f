import { LineCounter, parseDocument } from 'yaml';
import { TaskerError } from '../errors.ts';
import { applyEnvironment } from './apply-environment.ts';
import { buildTemplate } from './build-template.ts';
import { checkForm } from './check-form.ts';
import { firstSpelling } from './spellings.ts';
import type { TaskTemplate } from './task-template.ts';

/** One thing that is wrong, or odd, in a template file. */
export interface TemplateProblem {
  severity: 'error' | 'warning';
  /** What kind of problem it is, as `unknown_step`. */
  code: string;
  message: string;
  file: string | null;
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  /** As `steps[2].retry.max_attempts`; empty for the file itself. */
  path: string;
}

export interface ParseOptions {
  /** Named in the problems. */
  file?: string;
  /** Whose overrides are applied; undefined: none. */
  environment?: string;
}

export function parseTemplate(
  text: string,
  { file, environment }: ParseOptions = {},
): { template: TaskTemplate | null; problems: TemplateProblem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
  const checked = checkForm(firstSpelling(document.toJS()).data);
  const problems = checked.issues.map(
    (issue): TemplateProblem => ({
      severity: 'error',
      code: issue.code ?? 'form',
      message: `${issue.path.join('.')}: ${issue.message}`,
      file: file ?? null,
      line: 1,
      column: 1,
      path: issue.path.join('.'),
    }),
  );
  return { template: checked.file && applyEnvironment(buildTemplate(checked.file), environment), problems };
}

/** The problem in one line, as compilers write it: `orders.yaml:14:9: error: …`. */
export function formatProblem({ severity, message, file, line, column }: TemplateProblem): string {
  return `${file ?? 'template'}:${line}:${column}: ${severity}: ${message}`;
}

export function mustParseTemplate(text: string, options: ParseOptions = {}): TaskTemplate {
  const { template, problems } = parseTemplate(text, options);
  if (template) return template;
  const errors = problems.filter(({ severity }) => severity === 'error');
  throw new TaskerError('template_invalid', errors.map(formatProblem).join('\n'), { details: { problems } });
}
