/** What stands for a secret. */
const REDACTED = '[redacted]';
/** Fields inside one another; what lies deeper is left out. */
const DEEPEST = 6;

/** Names of fields that hold credentials. A name that merely has "key" or "token" in it (`primary_key`, `tokens_used`) does not. */
const SECRET =
  /authori[sz]ation|cookie|passw|passphrase|(^|[_-])pwd$|secret|credential|(api|access|private|signing|encryption)[-_]?key|token$|(^|[_-])jwt$/i;

/** The user and the password of a URL, wherever it stands in a text. */
const USER_OF_URL = /([a-z][a-z0-9+.-]*:\/\/[^\s/@:]*:)[^\s/@]+@/gi;

/**
 * Fields fit for a log: without credentials (by the name of the field, and in URLs), with errors as texts, and without
 * circles.
 */
export function redactFields(fields: object): Record<string, unknown> {
  return redactObject(fields, new Set());
}

function redactObject(fields: object, holders: Set<object>): Record<string, unknown> {
  const inside = new Set(holders).add(fields);
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, SECRET.test(name) && value !== null ? REDACTED : redact(value, inside)]),
  );
}

function redact(value: unknown, holders: Set<object>): unknown {
  if (typeof value === 'string') return value.replace(USER_OF_URL, `$1${REDACTED}@`);
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
