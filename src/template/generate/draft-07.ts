import { type Fields, isFields } from '../../model/json.ts';
import { below, localReference, lookUp, ONE_SCHEMA, SCHEMA_LIST, SCHEMA_MAP } from './schema-walk.ts';

/** Keywords of later drafts that draft-07 cannot express. */
const UNSUPPORTED = [
  '$dynamicRef',
  '$recursiveRef',
  'maxContains',
  'minContains',
  'unevaluatedItems',
  'unevaluatedProperties',
];

/** A schema for another document, with notes about the parts that it cannot express. */
export interface PlacedSchema {
  schema: unknown;
  /** For example `/properties/lines: draft-07 has no minContains`. */
  notes: string[];
}

/**
 * Converts a JSON Schema to draft-07 at another place (`#/components/schemas/…`) of a document. References within it
 * keep their targets, and tuples and siblings of `$ref` keep their meaning.
 */
export function placedSchema(root: unknown, place: string): PlacedSchema {
  const notes: string[] = [];
  const schema = moved(root, '', { root, place, notes });
  if (isFields(schema)) {
    delete schema.$schema;
    // References would be resolved against the id instead of the document.
    delete schema.$id;
  }
  return { schema, notes };
}

interface Move {
  root: unknown;
  place: string;
  notes: string[];
}

function moved(schema: unknown, at: string, move: Move): unknown {
  if (!isFields(schema)) return schema;
  for (const keyword of UNSUPPORTED) {
    if (keyword in schema) move.notes.push(`${at || '/'}: draft-07 has no ${keyword}`);
  }
  const fields = Object.entries(schema).map(
    ([keyword, value]) => [keyword, movedValue(keyword, value, at, move)] as const,
  );
  return toDraft07(Object.fromEntries(fields));
}

function movedValue(keyword: string, value: unknown, at: string, move: Move): unknown {
  if (keyword === '$ref' && typeof value === 'string') return movedReference(value, at, move);
  const here = below(at, keyword);
  if (SCHEMA_LIST.has(keyword) && Array.isArray(value)) return value.map((one, i) => moved(one, below(here, i), move));
  if (ONE_SCHEMA.has(keyword)) return moved(value, here, move);
  if (!SCHEMA_MAP.has(keyword) || !isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, moved(one, below(here, key), move)]));
}

function movedReference(reference: string, at: string, { root, place, notes }: Move): string {
  const local = localReference(root, reference);
  if (lookUp(root, local) !== undefined) return `${place}${local.slice(1)}`;
  notes.push(`${at || '/'}: the reference ${reference} is unchanged`);
  return reference;
}

/** Returns the schema with the keywords of draft-07. */
function toDraft07(schema: Fields): Fields {
  const { $ref, prefixItems, dependentRequired, dependentSchemas, nullable, ...rest } = schema;
  const result: Fields = rest;
  if (Array.isArray(prefixItems)) {
    if ('items' in result) result.additionalItems = result.items;
    result.items = prefixItems;
  }
  if (isFields(dependentRequired) || isFields(dependentSchemas)) {
    result.dependencies = {
      ...(result.dependencies as object),
      ...(dependentRequired as object),
      ...(dependentSchemas as object),
    };
  }
  if (nullable === true && result.type !== undefined) result.type = [...new Set([result.type, 'null'].flat())];
  if ($ref === undefined) return result;
  // Draft-07 ignores all siblings of a reference.
  if (Object.keys(result).length === 0) return { $ref };
  return { ...result, allOf: [...((result.allOf as unknown[] | undefined) ?? []), { $ref }] };
}
