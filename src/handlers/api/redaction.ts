/** What stands for a secret. */
export const REDACTED = '[redacted]';

const SECRET = /authorization|cookie|token|secret|passw|pwd|credential|key|signature|^sig$|jwt/i;
/** Has "key" in its name, and is there to be found again in a log. */
const NO_SECRET = /^idempotency[-_]?key$/i;
const WITH_URLS = new Set(['location', 'content-location', 'link', 'refresh']);
const DEEPEST = 20;

/** Whether a header, a query parameter or a field of this name may hold a secret. */
export function isSecretName(name: string): boolean {
  return SECRET.test(name) && !NO_SECRET.test(name);
}

/**
 * A URL fit for logs and stored metadata: its user and password and the values of secret query parameters are hidden.
 * It goes by the text, so that it holds for relative, malformed and embedded URLs too.
 *
 * @example
 * redactedUrl('https://ada:pw@api.example/orders?id=7&api_key=k'); // 'https://[redacted]@api.example/orders?id=7&api_key=[redacted]'
 */
export function redactedUrl(url: string): string {
  return url
    .replace(/\/\/[^/?#\s]*@/g, `//${REDACTED}@`)
    .replace(/([?&#;])([^=&#\s]+)=([^&#\s<>"]*)/g, (all, before: string, name: string) =>
      isSecretName(decoded(name)) ? `${before}${name}=${REDACTED}` : all,
    );
}

/** Headers fit for stored metadata. */
export function redactedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, shownHeader(name, value)]));
}

/** A JSON value without the values of fields that may be secret. A field that is called just `key` names something. */
export function redactedJson(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEEPEST) return REDACTED;
  if (Array.isArray(value)) return value.map((item) => redactedJson(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      name !== 'key' && isSecretName(name) ? REDACTED : redactedJson(field, depth + 1),
    ]),
  );
}

function shownHeader(name: string, value: string): string {
  if (isSecretName(name)) return REDACTED;
  return WITH_URLS.has(name.toLowerCase()) ? redactedUrl(value) : value;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray percent sign: the name as it stands must do
  }
}
