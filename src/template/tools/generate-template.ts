import { stringify } from 'yaml';
import { mustParseTemplate } from '../parse-template.ts';

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
  steps: readonly {
    name: string;
    description?: string | undefined;
    /** Default: namespace and step, joined by a dot. */
    handler?: string | undefined;
    depends_on?: readonly string[] | undefined;
    outputs?: readonly FieldSpec[] | undefined;
  }[];
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
    namespace_name: namespace,
    version,
    ...(description !== undefined && { description }),
    steps: steps.map((step) => ({
      name: step.name,
      ...(step.description !== undefined && { description: step.description }),
      handler: { callable: step.handler ?? `${namespace}.${step.name}` },
      ...((step.depends_on ?? []).length > 0 && { depends_on: step.depends_on }),
      ...((step.outputs ?? []).length > 0 && { result_schema: schemaOf(step.outputs!) }),
    })),
  };
  const yaml = stringify(template, { lineWidth: 0, aliasDuplicateObjects: false });
  mustParseTemplate(yaml);
  return yaml;
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
