/** An error or a warning in a template file. */
export interface TemplateProblem {
  severity: 'error' | 'warning';
  /** The kind of problem, for example `unknown_step`. */
  code: string;
  /** The problem and how to fix it. */
  message: string;
  file: string | null;
  /** The line, starting at 1. 0 for a template that was given as an object. */
  line: number;
  /** The column, starting at 1. 0 for a template that was given as an object. */
  column: number;
  /** The place, for example `steps[2].retry.max_attempts`, with keys as the file spells them. Empty for the file itself. */
  path: string;
}

/**
 * Formats a problem as one line, in a form that editors and terminals turn into links:
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
