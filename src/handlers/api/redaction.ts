import { isSecretAbroad, REDACTED, withoutSecretParameters } from '../../logging/secret-names.ts';

const WITH_URLS = new Set(['location', 'content-location', 'link', 'refresh']);
const DEEPEST = 20;

/**
 * A URL fit for logs and stored metadata: its user and password and the values of secret query parameters are hidden.
 * It goes by the text, so that it holds for relative, malformed and embedded URLs too.
 *
 * @example
 * redactedUrl('https://ada:pw@api.example/orders?id=7&api_key=k'); // 'https://[redacted]@api.example/orders?id=7&api_key=[redacted]'
 */
export function redactedUrl(url: string): string {
  return withoutSecretParameters(url.replace(/\/\/[^/?#\s]*@/g, `//${REDACTED}@`));
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
      name !== 'key' && isSecretAbroad(name) ? REDACTED : redactedJson(field, depth + 1),
    ]),
  );
}

function shownHeader(name: string, value: string): string {
  if (isSecretAbroad(name)) return REDACTED;
  return WITH_URLS.has(name.toLowerCase()) ? redactedUrl(value) : value;
}
