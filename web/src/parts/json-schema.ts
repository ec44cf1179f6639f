/** The part of JSON Schema that forms and checks read. */
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
}

/**
 * Returns what is wrong with a value, each with its place. It knows the usual keywords and ignores the others, so that the
 * server decides in the end.
 */
export function violationsOf(schema: Schema, value: unknown, path = ''): string[] {
  const at = path === '' ? 'the value' : path;
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((type) => isOf(type, value))) return [`${at} must be ${types.join(' or ')}`];
  if (schema.enum && !schema.enum.some((one) => same(one, value))) {
    return [`${at} must be one of ${schema.enum.map((one) => JSON.stringify(one)).join(', ')}`];
  }
  if (schema.const !== undefined && !same(schema.const, value))
    return [`${at} must be ${JSON.stringify(schema.const)}`];
  if (typeof value === 'number') return numberViolations(schema, value, at);
  if (typeof value === 'string') return textViolations(schema, value, at);
  if (Array.isArray(value)) {
    return schema.items ? value.flatMap((item, i) => violationsOf(schema.items!, item, `${path}[${i}]`)) : [];
  }
  return value !== null && typeof value === 'object' ? objectViolations(schema, value, path) : [];
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function isOf(type: string, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return value !== null && typeof value === 'object' && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function numberViolations({ minimum, maximum }: Schema, value: number, at: string): string[] {
  if (minimum !== undefined && value < minimum) return [`${at} must be at least ${minimum}`];
  return maximum !== undefined && value > maximum ? [`${at} must be at most ${maximum}`] : [];
}

function textViolations({ minLength, maxLength, pattern }: Schema, value: string, at: string): string[] {
  const length = [...value].length;
  if (minLength !== undefined && length < minLength) {
    return [minLength === 1 ? `${at} must not be empty` : `${at} must have at least ${minLength} characters`];
  }
  if (maxLength !== undefined && length > maxLength) return [`${at} must have at most ${maxLength} characters`];
  return pattern !== undefined && !matches(pattern, value) ? [`${at} must match ${pattern}`] : [];
}

function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return true; // not a pattern of this browser; the server checks it
  }
}

function objectViolations(
  { properties = {}, required = [], additionalProperties }: Schema,
  value: object,
  path: string,
) {
  const inside = (key: string) => (path === '' ? key : `${path}.${key}`);
  const fields = value as Record<string, unknown>;
  return [
    ...required.filter((key) => !Object.hasOwn(fields, key)).map((key) => `${inside(key)} is missing`),
    ...Object.entries(fields).flatMap(([key, field]) => {
      const own = Object.hasOwn(properties, key) ? properties[key] : undefined;
      if (own) return violationsOf(own, field, inside(key));
      return additionalProperties === false ? [`${inside(key)} is unknown`] : [];
    }),
  ];
}

/** How a field of a form is edited. */
export type FieldKind = 'text' | 'number' | 'boolean' | 'choice' | 'json';

export function fieldKindOf(schema: Schema): FieldKind {
  if (schema.enum?.every((one) => typeof one === 'string')) return 'choice';
  switch (schema.type) {
    case 'string':
      return 'text';
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    default:
      return 'json';
  }
}

/** Whether a form can be made of a schema: it describes an object with known fields. */
export function hasForm(schema: Schema | null | undefined): schema is Schema & { properties: Record<string, Schema> } {
  return schema?.type === 'object' && Object.keys(schema.properties ?? {}).length > 0;
}
