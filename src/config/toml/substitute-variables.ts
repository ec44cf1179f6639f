import { nearNames } from '../../model/near-names.ts';
import type { ConfigProblem } from '../config-problem.ts';
import { ALLOWED_VARIABLES, allowedForm } from './allowed-variables.ts';
import { lineAt, scanToml, type TomlPiece } from './scan-toml.ts';

const REFERENCE = /\$\{([^}]*)\}/g;
const FORM = /^([A-Za-z_]\w*)(?::-(.*))?$/s;

/** The text of a file with `${NAME}` and `${NAME:-default}` replaced, and the problems with them. */
export interface Substituted {
  text: string;
  problems: ConfigProblem[];
}

/**
 * Replaces the variables in a TOML text before it is parsed, so that a variable can also supply a number. Comments are
 * not changed. As in a shell, the default is used if the variable is empty or not set.
 */
export function substituteVariables(
  text: string,
  { file, env }: { file: string; env: NodeJS.ProcessEnv },
): Substituted {
  const problems: ConfigProblem[] = [];
  const one = (piece: TomlPiece): string => {
    const source = text.slice(piece.start, piece.end);
    if (piece.kind === 'comment') return source;
    return source.replace(REFERENCE, (whole: string, inside: string, at: number) => {
      const answer = answerFor(inside, env);
      const written = answer.value === undefined ? undefined : inPiece(answer.value, piece.kind);
      if (written !== undefined) return answer.isDefault ? answer.value! : written;
      const message =
        answer.problem ?? `the value of \${${inside}} contains a quote, which '…' does not allow; use "…"`;
      problems.push({ where: file, line: lineAt(text, piece.start + at), message });
      // Any valid value is sufficient, because it only serves to check the rest of the file.
      return piece.kind === 'code' ? '0' : whole;
    });
  };
  return { text: scanToml(text).map(one).join(''), problems };
}

interface Answer {
  value?: string;
  isDefault?: boolean;
  problem?: string;
}

function answerFor(inside: string, env: NodeJS.ProcessEnv): Answer {
  const form = FORM.exec(inside);
  if (!form) return { problem: `\${${inside}} is not a variable; use the form \${NAME} or \${NAME:-default}` };
  const [, name, byDefault] = form as unknown as [string, string, string | undefined];
  const pattern = allowedForm(name);
  if (pattern === undefined) return { problem: notAllowed(name) };
  const value = env[name];
  if (value === undefined || (value === '' && byDefault !== undefined)) {
    if (byDefault !== undefined) return { value: byDefault, isDefault: true };
    return { problem: `the variable ${name} is not set; set it, or write \${${name}:-default}` };
  }
  if (!pattern.test(value))
    return { problem: `the value of the variable ${name} has characters that are not allowed for it` };
  return { value };
}

function notAllowed(name: string): string {
  const near = nearNames(name, Object.keys(ALLOWED_VARIABLES), 1)[0];
  const hint =
    near === undefined ? 'write the value itself, or use a variable that the guide lists' : `did you mean ${near}?`;
  return `the variable ${name} may not be used in a configuration file; ${hint}`;
}

/** Returns a value in the form for its piece of TOML, or undefined if it is not allowed there. */
function inPiece(value: string, kind: TomlPiece['kind']): string | undefined {
  if (kind === 'basic') return JSON.stringify(value).slice(1, -1);
  if (kind === 'literal') return value.includes("'") ? undefined : value;
  // An unquoted value may be a number or a boolean. Anything else could be more than one value, so it is quoted.
  return /^[\w.+-]*$/.test(value) ? value : JSON.stringify(value);
}
