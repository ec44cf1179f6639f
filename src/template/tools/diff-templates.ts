import { isFields } from '../../model/json.ts';
import type { JsonSchema, StepTemplate, TaskTemplate } from '../task-template.ts';
import { canonicalJson } from '../template-digest.ts';
import { propertiesOf, requiredOf, typesOf } from './compare-schemas.ts';

/** A difference between two versions of a template. */
export interface TemplateFinding {
  code:
    | 'STEP_ADDED'
    | 'STEP_REMOVED'
    | 'SCHEMA_ADDED'
    | 'SCHEMA_REMOVED'
    | 'FIELD_ADDED'
    | 'FIELD_REMOVED'
    | 'TYPE_CHANGED'
    | 'REQUIRED_TO_OPTIONAL'
    | 'OPTIONAL_TO_REQUIRED';
  breaking: boolean;
  /** Null if the difference concerns the input of the task. */
  step: string | null;
  /** The place in the schema, such as `order.total`. Null means the whole. */
  field: string | null;
  message: string;
}

/** The outcome of {@link diffTemplates}. */
export interface TemplateDiff {
  breaking: boolean;
  steps: { step: string; status: 'added' | 'removed' | 'modified' | 'unchanged' }[];
  findings: TemplateFinding[];
}

/** Returns the changes between two versions of a template, and whether they break readers of its results. */
export function diffTemplates(before: TaskTemplate, after: TaskTemplate): TemplateDiff {
  const old = new Map(before.steps.map((step) => [step.name, step]));
  const current = new Map(after.steps.map((step) => [step.name, step]));
  const findings: TemplateFinding[] = schemaChanges(null, before.inputSchema, after.inputSchema);
  const steps = [...new Set([...old.keys(), ...current.keys()])].map((step) => {
    const [was, is] = [old.get(step), current.get(step)];
    if (was && is) findings.push(...schemaChanges(step, was.resultSchema, is.resultSchema));
    else findings.push(wholeStep(step, was === undefined));
    return { step, status: statusOf(was, is) };
  });
  return { breaking: findings.some(({ breaking }) => breaking), steps, findings };
}

function statusOf(was: StepTemplate | undefined, is: StepTemplate | undefined) {
  if (!was) return 'added' as const;
  if (!is) return 'removed' as const;
  return canonicalJson(was as never) === canonicalJson(is as never) ? ('unchanged' as const) : ('modified' as const);
}

function wholeStep(step: string, isNew: boolean): TemplateFinding {
  const code = isNew ? 'STEP_ADDED' : 'STEP_REMOVED';
  return { code, breaking: !isNew, step, field: null, message: `step ${step} was ${isNew ? 'added' : 'removed'}` };
}

type Schema = JsonSchema | null | undefined;

function schemaChanges(step: string | null, was: Schema, is: Schema): TemplateFinding[] {
  const of = step === null ? 'input_schema' : `result_schema of ${step}`;
  if (!was && !is) return [];
  if (!was) return [{ code: 'SCHEMA_ADDED', breaking: false, step, field: null, message: `${of} was added` }];
  if (!is) return [{ code: 'SCHEMA_REMOVED', breaking: true, step, field: null, message: `${of} was removed` }];
  return fieldChanges({ step, was, is, at: '' });
}

interface Place {
  step: string | null;
  was: unknown;
  is: unknown;
  at: string;
  depth?: number;
}

function fieldChanges({ step, was, is, at, depth = 0 }: Place): TemplateFinding[] {
  if (!isFields(was) || !isFields(is) || depth > 50) return [];
  const note = (code: TemplateFinding['code'], breaking: boolean, field: string, message: string): TemplateFinding => {
    return { code, breaking, step, field: field || '(root)', message: `${field || 'the schema'} ${message}` };
  };
  const [typesBefore, typesAfter] = [typesOf(was), typesOf(is)];
  if (String(typesBefore) !== String(typesAfter)) {
    const phrase = (types: readonly string[] | undefined) => types?.join(' or ') ?? 'any type';
    return [note('TYPE_CHANGED', true, at, `changed from ${phrase(typesBefore)} to ${phrase(typesAfter)}`)];
  }
  const [old, current] = [propertiesOf(was), propertiesOf(is)];
  const [needed, needs] = [requiredOf(was), requiredOf(is)];
  const changes = [...new Set([...Object.keys(old), ...Object.keys(current)])].flatMap((name): TemplateFinding[] => {
    const field = at === '' ? name : `${at}.${name}`;
    if (!Object.hasOwn(old, name)) return [note('FIELD_ADDED', false, field, 'was added')];
    if (!Object.hasOwn(current, name)) return [note('FIELD_REMOVED', needed.has(name), field, 'was removed')];
    const inside = fieldChanges({ step, was: old[name], is: current[name], at: field, depth: depth + 1 });
    if (needed.has(name) === needs.has(name)) return inside;
    if (needs.has(name)) return [note('OPTIONAL_TO_REQUIRED', true, field, 'is now required'), ...inside];
    return [note('REQUIRED_TO_OPTIONAL', false, field, 'is now optional'), ...inside];
  });
  return [...changes, ...fieldChanges({ step, was: was.items, is: is.items, at: `${at}[]`, depth: depth + 1 })];
}
