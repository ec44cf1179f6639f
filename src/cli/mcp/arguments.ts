import { z } from 'zod';
import type { McpTool, Verb } from '../../contract/verb.ts';

/** The arguments of a tool, by their names. */
export type Arguments = Readonly<Record<string, z.ZodType>>;

/** Parameters with another name as arguments. A step can be given by its name, which is looked up. */
const NAMES: Readonly<Record<string, string>> = { uuid: 'task_uuid', step_uuid: 'step' };
/** Pages are short, because a result fills the context of the assistant. */
const PAGE = { byDefault: 20, most: 100 };
/** Descriptions of arguments that several tools have. An empty one stands for a name that says enough. */
const ABOUT: Readonly<Record<string, string>> = {
  uuid: '',
  task_uuid: '',
  reason: '',
  limit: '',
  cursor: '',
  step_uuid: '',
};

/** The parameters and fields of a verb, by the part of the request that they belong to. */
export interface Fields {
  path: Record<string, z.ZodType>;
  query: Record<string, z.ZodType>;
  body: Record<string, z.ZodType>;
}

/** Returns the parameters and fields of a verb. `fixed` selects the option of a body that has several. */
export function fieldsOf({ takes = {} }: Verb, fixed: McpTool['fixed'] = {}): Fields {
  const { path, query } = takes;
  return {
    path: shapeOf(path, fixed),
    query: shapeOf(query, fixed),
    body: shapeOf(takes.body ?? takes.optionalBody, fixed),
  };
}

function shapeOf(schema: z.ZodType | undefined, fixed: Readonly<Record<string, string>>): Record<string, z.ZodType> {
  if (schema instanceof z.ZodObject) return schema.shape as Record<string, z.ZodType>;
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return {};
  const { discriminator } = schema.def;
  const options = schema.options as z.ZodObject[];
  return shapeOf(
    options.find(({ shape }) => (shape[discriminator] as z.ZodLiteral).value === fixed[discriminator]),
    fixed,
  );
}

/** Returns the name that a parameter or field has as an argument. */
export function argumentName(parameter: string): string {
  return NAMES[parameter] ?? parameter;
}

/** Returns the field of a verb for the name of the operator. Undefined if the verb has none. */
export function operatorField({ body }: Fields, { operator = 'by' }: McpTool): string | undefined {
  return operator in body ? operator : undefined;
}

/** Returns the arguments of a tool: the parameters and fields of its verb that are neither fixed nor left out. */
export function argumentsOf(verb: Verb, mark: McpTool): Arguments {
  const fields = fieldsOf(verb, mark.fixed);
  const hidden = new Set([...Object.keys(mark.fixed ?? {}), ...(mark.without ?? [])]);
  for (const name of ['dry_run', operatorField(fields, mark)]) if (name !== undefined) hidden.add(name);
  const { path, query, body } = fields;
  const shown = Object.entries({ ...path, ...query, ...body }).filter(([name]) => !hidden.has(name));
  const made: Record<string, z.ZodType> = {};
  for (const [name, field] of shown) {
    const own = argumentName(name);
    const description = mark.describedBy ? '' : (mark.about?.[own] ?? ABOUT[name] ?? descriptionOf(field));
    made[own] = argumentOf(name, field, own in (mark.defaults ?? {})).meta({ description });
  }
  for (const name of [mark.preview ?? []].flat().flatMap(parametersIn)) made[name] ??= z.string();
  return made;
}

/** Returns the description of a field, which a wrapper or the schema in it may have. */
function descriptionOf(field: z.ZodType): string {
  if (field.description !== undefined) return field.description;
  return isWrapper(field) ? descriptionOf(field.unwrap() as z.ZodType) : '';
}

function isWrapper(schema: z.ZodType): schema is z.ZodOptional | z.ZodNullable | z.ZodDefault {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault;
}

/** Returns the names in braces. */
export function parametersIn(route: string): string[] {
  return [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
}

function argumentOf(name: string, field: z.ZodType, isOptional: boolean): z.ZodType {
  let [inner, optional] = [field, isOptional];
  let byDefault: unknown;
  while (isWrapper(inner)) {
    if (inner instanceof z.ZodDefault) byDefault = inner.def.defaultValue;
    optional = true;
    inner = inner.unwrap() as z.ZodType;
  }
  if (name === 'limit') {
    return z
      .int()
      .min(1)
      .max(PAGE.most)
      .default(Math.min(Number(byDefault ?? PAGE.byDefault), PAGE.byDefault));
  }
  const value = inQuery(inner);
  if (byDefault !== undefined) return value.default(byDefault as never);
  return optional ? value.optional() : value;
}

/** Returns the schema of a value whose text the server converts. Other schemas are returned unchanged. */
function inQuery(schema: z.ZodType): z.ZodType {
  if (!(schema instanceof z.ZodPipe)) return schema;
  return schema.meta()?.type === 'boolean' ? z.boolean() : z.string();
}

/** Keywords that are checked, but not listed: an error describes the problem when it occurs. */
const OMITTED = [
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'pattern',
  'propertyNames',
  'additionalProperties',
  'example',
];

/** Defaults that are not listed: nothing, and the length of a page, which the instructions of the server have. */
const IMPLIED = new Set(['false', '0', '[]', '"standard"', String(PAGE.byDefault)]);

/** Returns the JSON Schema of arguments, as short as possible. */
export function schemaOf(input: Arguments): Record<string, unknown> & { type: 'object' } {
  const schema = z.toJSONSchema(z.strictObject(input), {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      const schema = jsonSchema as Record<string, unknown>;
      for (const word of OMITTED) delete schema[word];
      // The value shows its type.
      if (typeof schema.const === 'string') delete schema.type;
      if (schema.description === '') delete schema.description;
      if (IMPLIED.has(JSON.stringify(schema.default))) delete schema.default;
    },
  });
  delete schema.$schema;
  return schema as Record<string, unknown> & { type: 'object' };
}
