import { type Fields, isFields } from '../../model/json.ts';

/** The places of subschemas in a JSON Schema. Everything else is data and is not searched. */

/** Keywords whose value is a schema. */
export const ONE_SCHEMA = new Set([
  'additionalItems',
  'additionalProperties',
  'contains',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
]);

/** Keywords whose value is a list of schemas. In draft-07, `items` can be one. */
export const SCHEMA_LIST = new Set(['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems']);

/** Keywords whose value is an object of schemas. */
export const SCHEMA_MAP = new Set([
  '$defs',
  'definitions',
  'dependencies',
  'dependentSchemas',
  'patternProperties',
  'properties',
]);

/** Appends parts to a JSON pointer. */
export function below(pointer: string, ...parts: (string | number)[]): string {
  return [pointer, ...parts.map((part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');
}

/** Returns the target of a local reference (`#`, `#/$defs/a`). Undefined if it does not exist or is not local. */
export function lookUp(root: unknown, reference: string): unknown {
  if (reference !== '#' && !reference.startsWith('#/')) return undefined;
  let found = root;
  for (const part of reference.split('/').slice(1)) {
    const key = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Fields)[key];
  }
  return found;
}

/** Converts a reference that starts with the schema's own `$id` to a local reference. */
export function localReference(root: unknown, reference: string): string {
  const id = isFields(root) && typeof root.$id === 'string' ? root.$id.replace(/#$/, '') : '';
  if (id !== '' && (reference === id || reference.startsWith(`${id}#`))) return reference.slice(id.length) || '#';
  return reference;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // not percent-encoded
  }
}
