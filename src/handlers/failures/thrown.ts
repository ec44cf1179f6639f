// Anything can be thrown: a string, a proxy that throws when looked at, an error whose `message` is a getter. What is
// read here is stored, so it is bounded and holds nothing that PostgreSQL's jsonb refuses.

const MAX_NAME = 500;
const MAX_MESSAGE = 8_000;

/** A property of a thrown value; undefined when it has none or reading it throws. */
export function read(thrown: unknown, key: string): unknown {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return undefined;
  try {
    return (thrown as Record<string, unknown>)[key];
  } catch {
    return undefined; // what cannot be read is as good as absent
  }
}

/** The text of anything that was thrown; never empty. */
export function messageOfThrown(thrown: unknown): string {
  const message = read(thrown, 'message');
  if (typeof message === 'string' && message !== '') return storableText(withCause(message, thrown), MAX_MESSAGE);
  if (typeof thrown === 'string' && thrown !== '') return storableText(thrown, MAX_MESSAGE);
  if (typeof thrown === 'object' && thrown !== null) return messageOfParts(thrown);
  if (typeof thrown === 'function') return 'a function was thrown';
  return `${thrown === '' ? 'an empty text' : String(thrown)} was thrown`;
}

/** Messages of errors that `fetch` throws. They say nothing themselves: the reason is in the cause. */
const OF_FETCH: ReadonlySet<string> = new Set(['fetch failed', 'terminated']);

function withCause(message: string, thrown: unknown): string {
  const cause = read(thrown, 'cause');
  if (!OF_FETCH.has(message) || typeof cause !== 'object' || cause === null) return message;
  const said = read(cause, 'message');
  const reason = typeof said === 'string' && said !== '' ? said : messageOfParts(cause);
  return reason === message ? message : `${message}: ${reason}`;
}

/** An AggregateError has often no message of its own: a refused connection to `localhost` is one. */
function messageOfParts(thrown: object): string {
  const parts = read(thrown, 'errors');
  const said = Array.isArray(parts) ? parts.slice(0, 3).map((part) => String(read(part, 'message') ?? '')) : [];
  const text = said.filter((part) => part !== '').join('; ');
  return text === '' ? `${classNameOf(thrown)} without a message` : storableText(text, MAX_MESSAGE);
}

/** The class of a thrown value: its constructor's name; of a primitive, its type. */
export function classNameOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return thrown === null ? 'null' : typeof thrown;
  const made = read(read(thrown, 'constructor'), 'name');
  // All aborts and timeouts of the platform are one class; their name tells more.
  const name = made === 'DOMException' ? read(thrown, 'name') : made;
  return typeof name === 'string' && name !== '' ? storableText(name, MAX_NAME) : 'Object';
}

/** The text without what jsonb refuses (U+0000, half surrogate pairs), cut to a length. */
export function storableText(given: string, maxLength: number): string {
  const short = given.length > maxLength ? `${given.slice(0, maxLength - 1)}…` : given;
  // With the u flag a surrogate matches only when its other half is missing.
  return short.replace(/[\0\ud800-\udfff]/gu, '\ufffd');
}
