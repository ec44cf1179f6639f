import { isFields } from '../../model/json.ts';
import type { JsonSchema, StepTemplate, TaskTemplate } from '../task-template.ts';
import { commentOf, freeName, keyOf, quoted, typeNameOf } from './type-name.ts';

/** A schema of a generated file. */
interface NamedSchema {
  name: string;
  label: string;
  schema: JsonSchema;
}

/** The names of the generated types of a template. */
export interface ModelNames {
  /** The type of the context. Undefined without an `input_schema`. */
  input: string | undefined;
  /** The types of results, by step. Steps without a `result_schema` have none. */
  results: ReadonlyMap<string, string>;
}

/** A generated file of schemas. */
export interface ZodTypes {
  text: string;
  names: ReadonlyMap<TaskTemplate, ModelNames>;
  count: number;
}

const HEAD = `// Written by \`tasker generate\` from the templates: change those, and run it again.\nimport { z } from 'zod';\n`;
/** Namespaces of the original system end with the language of their handlers. */
const LANGUAGE = /_(ts|rb|py|rs)$/;

/**
 * Returns zod schemas and their types for the inputs and results of templates: `<Task>Input`, and
 * `<Namespace><Step>Result`. Equal templates produce equal text.
 */
export function zodTypesOf(templates: readonly TaskTemplate[]): ZodTypes {
  const taken = new Set<string>();
  const schemas: NamedSchema[] = [];
  const names = new Map<TaskTemplate, ModelNames>();
  for (const template of templates) {
    const label = `${template.namespace}/${template.name}@${template.version}`;
    const add = (wanted: string, about: string, schema: JsonSchema) => {
      const name = freeName(wanted, taken);
      schemas.push({ name, label: about, schema });
      return name;
    };
    const input = template.inputSchema
      ? add(`${typeNameOf(template.name)}Input`, `The context of ${label}.`, template.inputSchema)
      : undefined;
    const prefix = typeNameOf(template.namespace.replace(LANGUAGE, ''));
    const results = template.steps.flatMap(({ name, resultSchema }: StepTemplate) =>
      resultSchema
        ? [
            [
              name,
              add(`${prefix}${typeNameOf(name)}Result`, `The result of ${name} of ${label}.`, resultSchema),
            ] as const,
          ]
        : [],
    );
    names.set(template, { input, results: new Map(results) });
  }
  return { text: [HEAD, ...schemas.map(declared)].join('\n'), names, count: schemas.length };
}

function declared({ name, label, schema }: NamedSchema): string {
  const about = commentOf([label]);
  return `${about}export const ${name}Schema = ${zodOf(schema, '')};\nexport type ${name} = z.infer<typeof ${name}Schema>;\n`;
}

const SIMPLE: Readonly<Record<string, string>> = {
  string: 'z.string()',
  number: 'z.number()',
  integer: 'z.number().int()',
  boolean: 'z.boolean()',
  null: 'z.null()',
};
/** No simple type expresses these. The engine still checks them. */
const COMBINED = ['$ref', '$dynamicRef', 'oneOf', 'anyOf', 'allOf', 'not', 'if'];

function zodOf(schema: unknown, indent: string): string {
  if (!isFields(schema) || COMBINED.some((word) => word in schema)) return 'z.unknown()';
  const { type } = schema;
  if ('const' in schema) return literals([schema.const]);
  if (Array.isArray(schema.enum)) return literals(schema.enum);
  if (Array.isArray(type)) {
    const forms = type.map((one) => zodOf({ ...schema, type: one }, indent));
    return forms.length === 1 ? forms[0]! : `z.union([${forms.join(', ')}])`;
  }
  if (type === 'array') return `z.array(${zodOf(schema.items, indent)})`;
  if (type === 'object' || (type === undefined && isFields(schema.properties))) return objectOf(schema, indent);
  return SIMPLE[String(type)] ?? 'z.unknown()';
}

function literals(values: readonly unknown[]): string {
  if (values.length > 0 && values.every((one) => typeof one === 'string')) {
    return `z.enum([${values.map((one) => quoted(one as string)).join(', ')}])`;
  }
  const isLiteral = (one: unknown) => one === null || ['string', 'number', 'boolean'].includes(typeof one);
  if (values.length === 0 || !values.every(isLiteral)) return 'z.unknown()';
  return `z.literal([${values.map((one) => (typeof one === 'string' ? quoted(one) : JSON.stringify(one))).join(', ')}])`;
}

function objectOf(schema: Record<string, unknown>, indent: string): string {
  const properties = Object.entries(isFields(schema.properties) ? schema.properties : {});
  const { additionalProperties: others } = schema;
  if (properties.length === 0)
    return `z.record(z.string(), ${isFields(others) ? zodOf(others, indent) : 'z.unknown()'})`;
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const inner = `${indent}  `;
  const fields = properties.map(([name, one]) => {
    const optional = required.has(name) ? '' : '.optional()';
    // `__proto__: …` in a literal would set the prototype.
    const key = name === '__proto__' ? "['__proto__']" : keyOf(name);
    return `${inner}${key}: ${zodOf(one, inner)}${optional},\n`;
  });
  const rest = isFields(others) ? `.catchall(${zodOf(others, indent)})` : '.passthrough()';
  return `z.object({\n${fields.join('')}${indent}})${rest}`;
}
