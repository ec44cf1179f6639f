/** A JSON Schema, as far as a form can show it. */
export interface Schema {
  $ref?: string;
  type?: string | readonly string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: readonly unknown[];
  const?: unknown;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  properties?: Readonly<Record<string, unknown>>;
  required?: readonly string[];
  additionalProperties?: unknown;
  items?: unknown;
}

export type Kind = 'text' | 'number' | 'boolean' | 'choice' | 'object' | 'list' | 'json';

/** A part of a schema, ready to be shown. */
export interface Shape {
  kind: Kind;
  schema: Schema;
  /** The fields of an object. */
  fields: readonly { name: string; shape: Shape; required: boolean }[];
  /** The items of a list. */
  item?: Shape;
}

/** Keywords that a form cannot express. Parts with one of these are entered as JSON. */
const COMPLEX = ['oneOf', 'anyOf', 'allOf', 'not', 'if', 'patternProperties', 'prefixItems', 'dependentSchemas'];
/** Maximum depth, because schemas may refer to themselves. */
const DEEPEST = 6;
const MOST_CHOICES = 200;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns how to show a schema. `root`: the schema that its references point into. */
export function shapeOf(given: unknown, root: unknown = given, depth = 0): Shape {
  const schema = resolved(given, root);
  const kind = depth > DEEPEST ? 'json' : kindOf(schema);
  if (kind === 'list') {
    const item = shapeOf(schema.items, root, depth + 1);
    return { kind, schema, fields: [], item };
  }
  if (kind !== 'object') return { kind, schema, fields: [] };
  const required = Array.isArray(schema.required) ? schema.required : [];
  // Required fields first, because the database does not keep the order of fields.
  const place = (name: string) => (required.includes(name) ? required.indexOf(name) : required.length);
  const fields = Object.entries(schema.properties ?? {})
    .map(([name, inner]) => ({ name, shape: shapeOf(inner, root, depth + 1), required: required.includes(name) }))
    .sort((a, b) => place(a.name) - place(b.name));
  return { kind, schema, fields };
}

function resolved(given: unknown, root: unknown): Schema {
  let schema = given;
  for (let hops = 0; hops < DEEPEST && isObject(schema) && typeof schema.$ref === 'string'; hops++) {
    const { $ref, ...own } = schema as { $ref: string };
    const target = $ref.startsWith('#/') ? pointed(root, $ref.slice(2)) : undefined;
    schema = isObject(target) ? { ...target, ...own } : {};
  }
  return isObject(schema) ? schema : {};
}

function pointed(root: unknown, pointer: string): unknown {
  let at = root;
  for (const part of pointer.split('/')) {
    if (!isObject(at)) return undefined;
    at = at[decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return at;
}

function kindOf(schema: Schema): Kind {
  if (COMPLEX.some((key) => key in schema)) return 'json';
  if (Array.isArray(schema.enum)) return schema.enum.length <= MOST_CHOICES ? 'choice' : 'json';
  if ('const' in schema) return 'choice';
  const types = [schema.type].flat().filter((type) => type !== undefined && type !== 'null');
  if (types.length !== 1) return isObject(schema.properties) && types.length === 0 ? 'object' : 'json';
  const [type] = types;
  if (type === 'string') return 'text';
  if (type === 'integer' || type === 'number') return 'number';
  if (type === 'boolean') return 'boolean';
  if (type === 'array') return isObject(schema.items) ? 'list' : 'json';
  const hasFields = isObject(schema.properties) && Object.keys(schema.properties).length > 0;
  return type === 'object' && hasFields ? 'object' : 'json';
}

/** Returns the initial value of a form: the defaults and the required parts. Undefined means nothing. */
export function initialOf({ kind, schema, fields }: Shape, required: boolean): unknown {
  if (schema.default !== undefined) return schema.default;
  if ('const' in schema && required) return schema.const;
  if (kind === 'boolean' && required) return false;
  if (kind === 'list') return required ? [] : undefined;
  if (kind !== 'object') return undefined;
  const entries = fields
    .map(({ name, shape, required }) => [name, initialOf(shape, required)] as const)
    .filter(([, value]) => value !== undefined);
  return entries.length > 0 || required ? Object.fromEntries(entries) : undefined;
}

/** A place where a value does not match its schema. */
export interface Violation {
  /** A JSON pointer. */
  path: string;
  message: string;
}

/** Returns the violations of an error of the server. A missing property is reported at its own place. */
export function violationsOf(details: Record<string, unknown> | undefined): Violation[] {
  const given = details?.violations;
  if (!Array.isArray(given)) return [];
  return given.filter(isObject).map(({ path, message }) => {
    const text = String(message);
    const missing = /^must have required property '(.+)'$/.exec(text);
    return missing
      ? { path: `${String(path)}/${pointerPart(missing[1]!)}`, message: 'is required' }
      : { path: String(path), message: text };
  });
}

export const pointerPart = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1');
