import { stringify } from 'yaml';
import { mustParseTemplate } from '../parse-template.ts';
import { type StepType, waitsByType } from '../task-template.ts';

/** The types of fields that {@link generateTemplate} supports: `array:string` is an array of strings. */
export const FIELD_TYPE = /^(array:)?(string|integer|number|boolean|object)$/;

/** A field of a step's result. */
export interface FieldSpec {
  name: string;
  /** A {@link FIELD_TYPE}. */
  field_type: string;
  /** Default true. */
  required?: boolean | undefined;
  description?: string | undefined;
}

/** The short description of a template. */
export interface TemplateSpec {
  name: string;
  namespace: string;
  /** Default `1.0.0`. */
  version?: string | undefined;
  description?: string | undefined;
  steps: readonly StepSpec[];
}

/** The fields of a step that a template has in the same form. */
export const STEP_SETTINGS = [
  'run_if',
  'join',
  'others',
  'when',
  'message',
  'retry',
  'timeout_seconds',
  'batch_config',
  'timer',
  'signal',
  'approval',
  'template',
  'context',
  'on_failure',
  'on_cancel',
  'timeout',
  'wait',
] as const;

/** A step of a {@link TemplateSpec}. */
export interface StepSpec extends Partial<Readonly<Record<(typeof STEP_SETTINGS)[number], unknown>>> {
  name: string;
  /** Default `standard`. */
  type?: StepType | undefined;
  description?: string | undefined;
  /** Default: namespace and step, joined by a dot. Steps that wait, or end their task, have none. */
  handler?: string | undefined;
  depends_on?: readonly string[] | undefined;
  /** The fields of a step of the type `for_each`, in the form of a template file. */
  for_each?: Readonly<Record<string, unknown>> | undefined;
  outputs?: readonly FieldSpec[] | undefined;
}

/**
 * Returns the YAML of a template from a short description.
 *
 * @throws TaskerError `template_invalid` if the template would be invalid, for example because of a cycle
 *
 * @example
 * const yaml = generateTemplate({ name: 'order', namespace: 'shop', steps: [{ name: 'charge' }] });
 */
export function generateTemplate({ name, namespace, version = '1.0.0', description, steps }: TemplateSpec): string {
  const template = {
    name,
    namespace,
    version,
    ...(description !== undefined && { description }),
    steps: steps.map((step) => stepOf(step, namespace)),
  };
  const yaml = stringify(template, { lineWidth: 0, aliasDuplicateObjects: false });
  mustParseTemplate(yaml);
  return yaml;
}

function stepOf(step: StepSpec, namespace: string) {
  const { name, type = 'standard', description, handler, depends_on = [], outputs = [] } = step;
  const callable = handler ?? (waitsByType(type) ? undefined : `${namespace}.${name}`);
  return {
    name,
    ...(type !== 'standard' && { type }),
    ...(description !== undefined && { description }),
    ...(callable !== undefined && { handler: { callable } }),
    ...(depends_on.length > 0 && { depends_on }),
    ...Object.fromEntries(STEP_SETTINGS.flatMap((key) => (step[key] === undefined ? [] : [[key, step[key]]]))),
    ...step.for_each,
    ...(outputs.length > 0 && { result_schema: schemaOf(outputs) }),
  };
}

function schemaOf(outputs: readonly FieldSpec[]) {
  const required = outputs.filter((field) => field.required !== false).map((field) => field.name);
  return {
    type: 'object',
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(outputs.map((field) => [field.name, propertyOf(field)])),
  };
}

function propertyOf({ field_type, description }: FieldSpec) {
  const [, array, type] = FIELD_TYPE.exec(field_type)!;
  return {
    ...(array === undefined ? { type } : { type: 'array', items: { type } }),
    ...(description !== undefined && { description }),
  };
}
