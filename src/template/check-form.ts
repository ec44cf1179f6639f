import { z } from 'zod';
import { isFields } from '../model/json.ts';
import { type Path, STEP_SPELLINGS, TASK_SPELLINGS } from './spellings.ts';
import { type TemplateFile, templateFile } from './template-file.ts';

/** A problem with the form of a file, as zod reports it. */
export type FormIssue = z.core.$ZodIssue;

/** An unknown key and the path of its object. */
export interface UnknownKey {
  path: Path;
  key: string;
}

/**
 * Checks data, with keys in their first spelling, against the form of a template file. `file` is null if and only if
 * there are issues. Unknown keys are not issues: they are listed separately and removed.
 */
export function checkForm(data: unknown): {
  file: TemplateFile | null;
  issues: FormIssue[];
  unknownKeys: UnknownKey[];
} {
  const parsed = templateFile.safeParse(data, { reportInput: true });
  if (parsed.success) return { file: parsed.data, issues: [], unknownKeys: [] };
  const issues = parsed.error.issues.filter(({ code }) => code !== 'unrecognized_keys');
  const unknownKeys = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => ({ path: issue.path as Path, key })) : [],
  );
  if (issues.length > 0) return { file: null, issues, unknownKeys };
  return { file: templateFile.parse(without(data, unknownKeys)), issues, unknownKeys };
}

/** Returns a copy without the unknown keys. */
function without(data: unknown, unknownKeys: readonly UnknownKey[]): unknown {
  const copy = structuredClone(data);
  for (const { path, key } of unknownKeys) {
    const owner = path.reduce<unknown>((value, step) => (value as Record<string | number, unknown>)[step], copy);
    if (isFields(owner)) delete owner[key];
  }
  return copy;
}

/** Returns the keys that the object at a path can have, in both spellings. */
export function knownKeysAt(path: Path): string[] {
  let schema: unknown = templateFile;
  for (const part of path) {
    const owner = bare(schema);
    if (owner instanceof z.ZodObject) schema = owner.shape[part];
    else if (owner instanceof z.ZodArray) schema = owner.element;
    else if (owner instanceof z.ZodRecord) schema = owner.valueType;
  }
  const owner = bare(schema);
  const keys = owner instanceof z.ZodObject ? Object.keys(owner.shape) : [];
  const others = [...TASK_SPELLINGS, ...STEP_SPELLINGS].filter(({ first }) => keys.includes(first));
  return [...keys, ...others.map(({ other }) => other)];
}

/** Returns the schema inside `nullish`. */
function bare(schema: unknown): unknown {
  let inner = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable) inner = inner.unwrap();
  return inner;
}
