import { isExternalSecret } from '../../logging/secret-names.ts';
import { PermanentError } from '../failures/handler-errors.ts';
import { invalidRequest } from '../misuse.ts';
import { redactedUrl } from './redaction.ts';
import type { RequestBody } from './request-body.ts';
import { NamedHeaders } from './request-headers.ts';
import { checkedResponse, headersOf, statusOf } from './response-like.ts';

/** A request that is ready to send. */
export interface PreparedRequest {
  method: string;
  url: URL;
  headers: NamedHeaders;
  body: RequestBody;
  maxRedirects: number;
  signal: AbortSignal;
  fetch(url: URL, init: RequestInit): Promise<Response>;
}

/** A response and its URL. */
export interface Answer {
  response: Response;
  url: URL;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Sends a request and follows a limited number of redirects. */
export async function sendRequest(request: PreparedRequest): Promise<Answer> {
  const { signal, maxRedirects } = request;
  let { method, url, body } = request;
  const headers = new NamedHeaders().setAll(request.headers);
  for (let redirects = 0; ; redirects++) {
    const returned: unknown = await request.fetch(url, initOf({ method, headers, body, signal }));
    const response = checkedResponse(returned, `${method} ${redactedUrl(url.href)}`);
    const status = statusOf(response);
    const next = maxRedirects > 0 && REDIRECTS.has(status) ? headersOf(response).location : undefined;
    if (next === undefined) return { response, url };

    await response.body?.cancel?.();
    // The failure is permanent, because a retry would be redirected in the same way.
    const refuse = (why: string): never => {
      const urls = { url: redactedUrl(url.href), redirect_url: redactedUrl(next) };
      throw new PermanentError(`${method} ${urls.url}: redirected to ${urls.redirect_url}, ${why}`, {
        errorType: 'redirect_error',
        metadata: { method, ...urls },
      });
    };
    const to = nextUrl(next, url) ?? refuse('which is not an http or https URL');
    if (redirects >= maxRedirects) refuse(`which exceeds the maximum of ${maxRedirects} redirects`);
    if (to.origin !== url.origin) dropSecrets(headers);
    if (becomesGet(status, method)) {
      method = 'GET';
      body = { content: undefined, once: false };
      for (const name of ['content-type', 'content-length', 'content-encoding']) headers.delete(name);
    }
    if (body.once) refuse('but the body is a stream, which can be sent only once');
    url = to;
  }
}

type Sent = Pick<PreparedRequest, 'method' | 'headers' | 'body' | 'signal'>;

function initOf({ method, headers, body, signal }: Sent): RequestInit {
  const init: RequestInit = { method, headers: headers.toObject(), signal, redirect: 'manual' };
  if (body.content === undefined) return init;
  if (method === 'GET' || method === 'HEAD') throw invalidRequest(`a ${method} request cannot have a body; use params`);
  return { ...init, body: body.content, ...(body.once && { duplex: 'half' }) };
}

function nextUrl(location: string, from: URL): URL | null {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (!to || (to.protocol !== 'http:' && to.protocol !== 'https:')) return null;
  // `fetch` rejects URLs with credentials, and credentials chosen by the redirecting server are not needed.
  to.username = '';
  to.password = '';
  return to;
}

/**
 * Returns whether a redirect changes the method to GET. As in browsers, a POST is repeated only if the status requires
 * it.
 */
function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== 'GET' && method !== 'HEAD';
  return (status === 301 || status === 302) && method === 'POST';
}

/** Removes headers with credentials, which must not reach another server. */
function dropSecrets(headers: NamedHeaders): void {
  for (const name of Object.keys(headers.toObject())) if (isExternalSecret(name)) headers.delete(name);
}
