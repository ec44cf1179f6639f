import { isFields } from '../model/json.ts';

/** A difference between two templates. */
export interface TemplateChange {
  /** The place, such as `steps.charge.retry.max_attempts`. Steps and events are found by their names. */
  path: string;
  change: 'added' | 'removed' | 'changed';
  /** The old value. Null for an addition. */
  from: unknown;
  /** The new value. Null for a removal. */
  to: unknown;
}

/** Returns the differences between two templates in their JSON form, in the order of their paths. */
export function templateChanges(from: unknown, to: unknown, path = ''): TemplateChange[] {
  if (from === undefined) return [{ path, change: 'added', from: null, to }];
  if (to === undefined) return [{ path, change: 'removed', from, to: null }];
  const [before, after] = [byName(from), byName(to)];
  if (before && after) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => templateChanges(before[key], after[key], path === '' ? key : `${path}.${key}`));
  }
  return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ path, change: 'changed', from, to }];
}

/** Returns the fields of an object, or the items of a list by their names. Undefined for other values. */
function byName(value: unknown): Record<string, unknown> | undefined {
  if (isFields(value)) return value;
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const named = value.filter((item): item is { name: string } => isFields(item) && typeof item['name'] === 'string');
  const names = new Set(named.map(({ name }) => name));
  return names.size === value.length ? Object.fromEntries(named.map((item) => [item.name, item])) : undefined;
}
