import { createHash } from 'node:crypto';
import type { JsonSchema, JsonValue, TaskTemplate } from './task-template.ts';
import { templateToJson } from './template-json.ts';

/**
 * Returns the digest of a template's contents: the SHA-256 (64 hex digits) of its JSON with sorted keys. The order of
 * keys in the file, the spellings and the comments do not matter, but the order of steps does.
 */
export function digestOf(template: TaskTemplate): string {
  return createHash('sha256')
    .update(canonicalJson(templateToJson(template)))
    .digest('hex');
}

/** Returns JSON with sorted keys, so that equal values have the same text. */
export function canonicalJson(value: JsonValue | JsonSchema): string {
  return JSON.stringify(value, (_, inner: JsonValue) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? sorted(inner) : inner,
  );
}

/**
 * Sorts keys by code unit, regardless of the locale. Keys that look like array indexes come first in any object, so the
 * order is still unique.
 */
function sorted<T>(fields: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
}
