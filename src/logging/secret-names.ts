/** What stands for a secret. */
export const REDACTED = '[redacted]';

/**
 * Names of fields that hold credentials, whoever writes them. A name that merely has "key" or "token" in it
 * (`primary_key`, `tokens_used`) does not.
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
 * In what others name (headers, parameters of a URL, the bodies of their answers) these stand for credentials as well:
 * `?key=…` is one at some, and so is `x-functions-key`.
 */
const DOUBTFUL = ['token', 'key', 'pwd', 'jwt', 'signature'];
/** Has "key" in its name, and is there to be found again in a log. */
const NO_SECRET = /^idempotency[-_]?key$/i;

const SECRET_FIELD = new RegExp(SECRET.join('|'), 'i');
const SECRET_ABROAD = new RegExp([...SECRET, ...DOUBTFUL].join('|'), 'i');

/** Whether a field of this name, in a program's own logs, holds a credential. */
export function isSecretField(name: string): boolean {
  return SECRET_FIELD.test(name);
}

/** Whether a header, a query parameter or a field of this name, in what another system sent or gets, may hold a credential. */
export function isSecretAbroad(name: string): boolean {
  return SECRET_ABROAD.test(name) && !NO_SECRET.test(name);
}

/** A text without the values of secret query parameters. It goes by the text, so that it holds for malformed URLs too. */
export function withoutSecretParameters(url: string): string {
  return url.replace(/([?&#;])([^=?&#;\s]+)=([^&#\s<>"]*)/g, (all, before: string, name: string) =>
    isSecretAbroad(decoded(name)) ? `${before}${name}=${REDACTED}` : all,
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray percent sign: the name as it stands must do
  }
}
