import { isSecretField, REDACTED, withoutSecretParameters } from './secret-names.ts';

/** Maximum nesting of fields. Deeper values are replaced by `[…]`. */
const DEEPEST = 6;

// The patterns start at the slashes. Matching the scheme too would take quadratic time on a long text.
const PASSWORD_OF_URL = /(:\/\/[^\s/@:]*:)[^\s/]+@/g;
const REST_OF_URL = /:\/\/\S+/g;

/**
 * Returns a copy of fields that is safe to log. Credentials are redacted, by field name and in URLs. Errors become
 * strings, and circular references are replaced.
 */
export function redactFields(fields: object): Record<string, unknown> {
  return redactObject(fields, new Set());
}

function redactObject(fields: object, holders: Set<object>): Record<string, unknown> {
  const inside = new Set(holders).add(fields);
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, isSecretField(name) && value !== null ? REDACTED : redact(value, inside)]),
  );
}

function redact(value: unknown, holders: Set<object>): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return redact(`${value.name}: ${value.message}`, holders);
  if (holders.has(value)) return '[circular]';
  if (holders.size >= DEEPEST) return '[…]';
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return redact(value.toJSON(), new Set(holders).add(value));
  if (Array.isArray(value)) return value.map((item) => redact(item, new Set(holders).add(value)));
  return redactObject(value, holders);
}

/** Returns a string without the passwords and secret parameters of the URLs in it. */
export function redactText(text: string): string {
  if (!text.includes('://')) return text;
  return text.replace(PASSWORD_OF_URL, `$1${REDACTED}@`).replace(REST_OF_URL, withoutSecretParameters);
}
