/** The replacement for a secret. */
export const REDACTED = '[redacted]';

/**
 * Patterns of field names that hold credentials in any source. A name that only contains "key" or "token"
 * (`primary_key`, `tokens_used`) does not match.
 */
const SECRET = [
  'authori[sz]ation',
  'cookie',
  'passw',
  'passphrase',
  'pwd$',
  'secret',
  'credential',
  '(api|access|private|signing|encryption)[-_]?key',
  'token$',
  '(access|auth|bearer|refresh)[-_]?tokens',
  'jwt$',
  '(^|[-_])sig(nature)?$',
];
/**
 * Additional patterns for data of other systems: headers, URL parameters and response bodies. Some services use `?key=…`
 * or `x-functions-key` for credentials.
 */
const EXTERNAL = ['token', 'key', 'pwd', 'jwt', 'signature'];
/** Contains "key", but is not secret and is useful for searching logs. */
const NO_SECRET = /^idempotency[-_]?key$/i;

const SECRET_FIELD = new RegExp(SECRET.join('|'), 'i');
const EXTERNAL_SECRET = new RegExp([...SECRET, ...EXTERNAL].join('|'), 'i');

/** Returns whether a field of this name in a program's own logs holds a credential. */
export function isSecretField(name: string): boolean {
  return SECRET_FIELD.test(name);
}

/**
 * Returns whether a header, query parameter or field of this name, exchanged with another system, may hold a
 * credential.
 */
export function isExternalSecret(name: string): boolean {
  return EXTERNAL_SECRET.test(name) && !NO_SECRET.test(name);
}

/** Redacts the values of secret query parameters. Works on the text, so that malformed URLs are covered too. */
export function withoutSecretParameters(url: string): string {
  return url.replace(/([?&#;])([^=?&#;\s]+)=([^&#\s<>"]*)/g, (all, before: string, name: string) =>
    isExternalSecret(decoded(name)) ? `${before}${name}=${REDACTED}` : all,
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // contains a stray percent sign; use the name unchanged
  }
}
