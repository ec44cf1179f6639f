import { pointerPart, type Schema, type Violation } from './json-schema.ts';

/**
 * Returns the places where a value does not match its schema. Checks only the usual keywords, because the server makes
 * the final check.
 */
export function checkValue(schema: Schema, value: unknown, path = ''): Violation[] {
  const at = (message: string): Violation[] => [{ path, message }];
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((type) => isOf(type, value))) return at(`must be ${types.join(' or ')}`);
  if (schema.enum && !schema.enum.some((one) => same(one, value))) {
    return at(`must be one of ${schema.enum.map((one) => JSON.stringify(one)).join(', ')}`);
  }
  if (schema.const !== undefined && !same(schema.const, value)) return at(`must be ${JSON.stringify(schema.const)}`);
  if (typeof value === 'number') return numberProblems(schema, value).flatMap(at);
  if (typeof value === 'string') return textProblems(schema, value).flatMap(at);
  if (Array.isArray(value)) {
    const { items } = schema;
    return isSchema(items) ? value.flatMap((item, i) => checkValue(items, item, `${path}/${i}`)) : [];
  }
  return isSchema(value) ? objectViolations(schema, value as Record<string, unknown>, path) : [];
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
      return isSchema(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function numberProblems({ minimum, maximum }: Schema, value: number): string[] {
  if (minimum !== undefined && value < minimum) return [`must be at least ${minimum}`];
  return maximum !== undefined && value > maximum ? [`must be at most ${maximum}`] : [];
}

function textProblems({ minLength, maxLength, pattern }: Schema, value: string): string[] {
  const length = [...value].length;
  if (minLength !== undefined && length < minLength) {
    return [minLength === 1 ? 'must not be empty' : `must have at least ${minLength} characters`];
  }
  if (maxLength !== undefined && length > maxLength) return [`must have at most ${maxLength} characters`];
  return pattern !== undefined && !matches(pattern, value) ? [`must match ${pattern}`] : [];
}

function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return true; // this browser does not support the pattern; the server checks it
  }
}

function objectViolations(schema: Schema, fields: Record<string, unknown>, path: string): Violation[] {
  const { properties = {}, required = [], additionalProperties } = schema;
  const inside = (name: string) => `${path}/${pointerPart(name)}`;
  return [
    ...required
      .filter((name) => !Object.hasOwn(fields, name))
      .map((name) => ({ path: inside(name), message: 'is required' })),
    ...Object.entries(fields).flatMap(([name, field]) => {
      const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (isSchema(own)) return checkValue(own, field, inside(name));
      return own === undefined && additionalProperties === false ? [{ path: inside(name), message: 'is unknown' }] : [];
    }),
  ];
}
