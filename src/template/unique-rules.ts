import { type ExpressionScope, schemaOfRead } from '../expressions/check-expression.ts';
import { Expression } from '../expressions/expression.ts';
import { ExpressionError } from '../expressions/expression-error.ts';
import type { Read } from '../expressions/reads.ts';
import { type Fields, isFields } from '../model/json.ts';
import { leadsTo, sensitivePaths } from '../model/sensitive.ts';
import { expressionFindings } from './expression-rules.ts';
import type { Path } from './spellings.ts';
import type { Finding } from './step-rules.ts';
import { SENSITIVE_PATH } from './template-file.ts';

const KEY: Path = ['unique', 'key'];
/** The values of `task` that no two tasks share. */
const OWN = ['uuid', 'created_at'];

/** Checks `unique`: its key can be evaluated when a task is created, and its open tasks can be replaced. */
export function uniqueRules(data: unknown): Finding[] {
  if (!isFields(data) || !isFields(data.unique)) return [];
  const { key, on_conflict: onConflict } = data.unique;
  const findings = typeof key === 'string' ? keyFindings(key, data) : [];
  return onConflict === 'cancel_running' ? [...findings, ...undoFindings(data)] : findings;
}

function keyFindings(text: string, data: Fields): Finding[] {
  const scope: ExpressionScope = {
    context: isFields(data.input_schema) ? data.input_schema : null,
    steps: new Map(),
    unreadable: () => 'has no result yet, because the key is evaluated when the task is created',
  };
  const findings = expressionFindings({ text, path: KEY }, scope, data);
  return findings.length > 0 ? findings : valueFindings(text, scope, data);
}

/** Checks a key whose expression is correct. */
function valueFindings(text: string, scope: ExpressionScope, data: Fields): Finding[] {
  const wrong = (code: string, message: string, offset?: number): Finding => ({
    severity: 'error',
    code,
    message,
    path: KEY,
    ...(offset !== undefined && { inside: { text, offset } }),
  });
  const type = schemaOfRead(text, scope)?.['type'];
  if (type === 'array' || type === 'object' || type === 'null') {
    const message = `\`unique.key\` is of the type ${type}; a key is a string, a number or a boolean`;
    return [wrong('unique_key_type', message)];
  }
  const hidden = sensitivePaths(sensitiveIn(data));
  return readsOf(text).flatMap(({ root, keys, start }) => {
    const own = root === 'task' ? OWN.find((name) => name === keys[0]) : undefined;
    if (own !== undefined) {
      const message = `\`unique.key\` reads task.${own}, which differs for each task; read a value of the context`;
      return [wrong('unique_key_own', message, start)];
    }
    if (root !== 'context' || !leadsTo(hidden, keys)) return [];
    const message = `\`unique.key\` reads a value that \`sensitive\` hides, but errors show the key; use an id`;
    return [wrong('unique_key_sensitive', message, start)];
  });
}

function readsOf(text: string): readonly Read[] {
  try {
    return new Expression(text).reads;
  } catch (error) {
    if (error instanceof ExpressionError) return [];
    throw error;
  }
}

function sensitiveIn({ sensitive }: Fields): string[] {
  const paths: unknown[] = Array.isArray(sensitive) ? sensitive : [];
  return paths.filter((path) => typeof path === 'string').filter((path) => SENSITIVE_PATH.test(path));
}

/** A task that is undone when it is cancelled stays open, so no other task can take its place. */
function undoFindings({ lifecycle }: Fields): Finding[] {
  if (!isFields(lifecycle) || lifecycle['on_cancel'] !== 'undo') return [];
  const message =
    '`on_conflict: cancel_running` cannot be combined with `on_cancel: undo`, because a task stays open while it is undone; write another `on_conflict`';
  return [{ severity: 'error', code: 'unique_undo', message, path: ['unique', 'on_conflict'] }];
}
