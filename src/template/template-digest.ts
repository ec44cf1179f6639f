import { createHash } from 'node:crypto';
import type { JsonSchema, JsonValue, TaskTemplate } from './task-template.ts';
import { templateToJson } from './template-json.ts';

/**
 * What tells one content of a template from another: sha256 (64 hex digits) over its JSON with sorted keys. The order of
 * keys in the file, its spellings and its comments don't matter; the order of steps does.
 */
export function digestOf(template: TaskTemplate): string {
  return createHash('sha256')
    .update(canonicalJson(templateToJson(template)))
    .digest('hex');
}

/** JSON with its keys sorted: the same text for the same value, however it was written. */
export function canonicalJson(value: JsonValue | JsonSchema): string {
  return JSON.stringify(value, (_, inner: JsonValue) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? sorted(inner) : inner,
  );
}

/** Keys in code unit order, whatever the locale. (Keys that look like array indexes come first in any object: still one order.) */
function sorted<T>(fields: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
}
