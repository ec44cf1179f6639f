import { createHash } from 'node:crypto';

/** The value of the key of a task. */
export type KeyValue = string | number | boolean;

/** Returns whether a value can be a key. */
export function isKeyValue(value: unknown): value is KeyValue {
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  );
}

/**
 * Returns the hash of a key as SHA-256 in hex. The versions of a template share their keys. The text `"1"` is another key
 * than the number 1.
 */
export function taskKeyHash({ namespace, name }: { namespace: string; name: string }, key: KeyValue): string {
  return createHash('sha256')
    .update(JSON.stringify(['unique', namespace, name, key]))
    .digest('hex');
}

/** Maximum length of a key in a message. */
const LONGEST = 80;

/** Returns a key for a message. */
export function shownKey(key: KeyValue): string {
  const text = JSON.stringify(key);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
