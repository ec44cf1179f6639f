import { isExternalSecret, REDACTED, withoutSecretParameters } from '../../logging/secret-names.ts';

const WITH_URLS = new Set(['location', 'content-location', 'link', 'refresh']);
const DEEPEST = 20;

/**
 * Redacts a URL for logs and stored metadata: its user and password, and the values of secret query parameters. The
 * function works on the text, so relative, malformed and embedded URLs are redacted too.
 *
 * @example
 * redactedUrl('https://ada:pw@api.example/orders?id=7&api_key=k'); // 'https://[redacted]@api.example/orders?id=7&api_key=[redacted]'
 */
export function redactedUrl(url: string): string {
  return withoutSecretParameters(url.replace(/\/\/[^/?#\s]*@/g, `//${REDACTED}@`));
}

/** Redacts headers for stored metadata. */
export function redactedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, shownHeader(name, value)]));
}

/** Redacts the fields of a JSON value that may be secret. A field named just `key` is an identifier and is kept. */
export function redactedJson(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEEPEST) return REDACTED;
  if (Array.isArray(value)) return value.map((item) => redactedJson(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      name !== 'key' && isExternalSecret(name) ? REDACTED : redactedJson(field, depth + 1),
    ]),
  );
}

function shownHeader(name: string, value: string): string {
  if (isExternalSecret(name)) return REDACTED;
  return WITH_URLS.has(name.toLowerCase()) ? redactedUrl(value) : value;
}
