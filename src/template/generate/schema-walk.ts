import { type Fields, isFields } from '../../model/fields.ts';

/** Where in a JSON Schema other schemas stand; what stands elsewhere is data and never looked into. */

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

/** Keywords whose value is a list of schemas. `items` is one in draft-07. */
export const SCHEMA_LIST = new Set(['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems']);

/** Keywords whose value has a schema for each of its keys. */
export const SCHEMA_MAP = new Set([
  '$defs',
  'definitions',
  'dependencies',
  'dependentSchemas',
  'patternProperties',
  'properties',
]);

/** A JSON pointer, one part longer. */
export function below(pointer: string, ...parts: (string | number)[]): string {
  return [pointer, ...parts.map((part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');
}

/** What a local reference (`#`, `#/$defs/a`) leads to in a schema; undefined: nothing is there, or it is not local. */
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

/** A reference as a local one, where the schema names itself by its `$id`. */
export function localReference(root: unknown, reference: string): string {
  const id = isFields(root) && typeof root.$id === 'string' ? root.$id.replace(/#$/, '') : '';
  if (id !== '' && (reference === id || reference.startsWith(`${id}#`))) return reference.slice(id.length) || '#';
  return reference;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // not percent-encoded: it is what it is
  }
}
