// Anything can be thrown: a string, a proxy that throws on every access, or an error whose `message` is a getter. The
// strings that are read here are stored, so their length is limited and they contain nothing that PostgreSQL's jsonb
// rejects.

const MAX_NAME = 500;
const MAX_MESSAGE = 8_000;

/** Returns a property of a thrown value. Undefined if it does not exist or reading it throws. */
export function read(thrown: unknown, key: string): unknown {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return undefined;
  try {
    return (thrown as Record<string, unknown>)[key];
  } catch {
    return undefined; // an unreadable property is treated as absent
  }
}

/** Returns the message of anything that was thrown. Never empty. */
export function messageOfThrown(thrown: unknown): string {
  const message = read(thrown, 'message');
  if (typeof message === 'string' && message !== '') return storableText(withCause(message, thrown), MAX_MESSAGE);
  if (typeof thrown === 'string' && thrown !== '') return storableText(thrown, MAX_MESSAGE);
  if (typeof thrown === 'object' && thrown !== null) return messageOfParts(thrown);
  if (typeof thrown === 'function') return 'a function was thrown';
  return `${thrown === '' ? 'an empty string' : String(thrown)} was thrown`;
}

/** Messages of errors that `fetch` throws. The reason is only in the cause. */
const FETCH_MESSAGES: ReadonlySet<string> = new Set(['fetch failed', 'terminated']);

function withCause(message: string, thrown: unknown): string {
  const cause = read(thrown, 'cause');
  if (!FETCH_MESSAGES.has(message) || typeof cause !== 'object' || cause === null) return message;
  const causeMessage = read(cause, 'message');
  const reason = typeof causeMessage === 'string' && causeMessage !== '' ? causeMessage : messageOfParts(cause);
  return reason === message ? message : `${message}: ${reason}`;
}

/**
 * Returns the messages of an AggregateError's parts. The error itself often has no message, for example after a refused
 * connection to `localhost`.
 */
function messageOfParts(thrown: object): string {
  const parts = read(thrown, 'errors');
  const messages = Array.isArray(parts) ? parts.slice(0, 3).map((part) => String(read(part, 'message') ?? '')) : [];
  const text = messages.filter((part) => part !== '').join('; ');
  return text === '' ? `${classNameOf(thrown)} without a message` : storableText(text, MAX_MESSAGE);
}

/** Returns the class name of a thrown value, or the type of a primitive. */
export function classNameOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return thrown === null ? 'null' : typeof thrown;
  const className = read(read(thrown, 'constructor'), 'name');
  // The platform uses one class for all aborts and timeouts. Their name is more specific.
  const name = className === 'DOMException' ? read(thrown, 'name') : className;
  return typeof name === 'string' && name !== '' ? storableText(name, MAX_NAME) : 'Object';
}

/** Returns the text truncated, with characters that jsonb rejects (U+0000, lone surrogates) replaced. */
export function storableText(given: string, maxLength: number): string {
  const short = given.length > maxLength ? `${given.slice(0, maxLength - 1)}…` : given;
  // With the u flag, a surrogate matches only if its other half is missing.
  return short.replace(/[\0\ud800-\udfff]/gu, '\ufffd');
}
