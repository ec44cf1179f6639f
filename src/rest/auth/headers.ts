import type { MiddlewareHandler } from 'hono';

/**
 * Headers that stop browsers from guessing types, framing pages, and leaking addresses and responses to other sites.
 */
const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

/** Adds headers for browsers to every response that does not have its own. */
export function securityHeaders({ tls }: { tls: boolean }): MiddlewareHandler {
  return async (c, next) => {
    await next();
    // Not c.header(), which copies the response and its body each time.
    const { headers } = c.res;
    for (const [name, value] of Object.entries(HEADERS)) if (!headers.has(name)) headers.set(name, value);
    if (tls) headers.set('strict-transport-security', 'max-age=31536000');
    if (/^\/(v1\/|config$)/.test(c.req.path) && !headers.has('cache-control')) headers.set('cache-control', 'no-store');
  };
}
