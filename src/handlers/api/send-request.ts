import { isSecretAbroad } from '../../logging/secret-names.ts';
import { PermanentError } from '../failures/handler-errors.ts';
import { invalidRequest } from '../misuse.ts';
import { redactedUrl } from './redaction.ts';
import type { RequestBody } from './request-body.ts';
import { NamedHeaders } from './request-headers.ts';
import { checkedResponse, headersOf, statusOf } from './response-like.ts';

/** One request, ready to be sent. */
export interface PreparedRequest {
  method: string;
  url: URL;
  headers: NamedHeaders;
  body: RequestBody;
  maxRedirects: number;
  signal: AbortSignal;
  fetch(url: URL, init: RequestInit): Promise<Response>;
}

/** An answer, and the URL that gave it. */
export interface Answer {
  response: Response;
  url: URL;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Sends a request and follows its redirects, a bounded number of them. */
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
    // Another attempt would be led the same way.
    const refuse = (why: string): never => {
      const urls = { url: redactedUrl(url.href), redirect_url: redactedUrl(next) };
      throw new PermanentError(`${method} ${urls.url}: it redirects to ${urls.redirect_url}, ${why}`, {
        errorType: 'redirect_error',
        metadata: { method, ...urls },
      });
    };
    const to = nextUrl(next, url) ?? refuse('which is no http or https URL');
    if (redirects >= maxRedirects) refuse(`and ${maxRedirects} redirects were followed before`);
    if (to.origin !== url.origin) dropSecrets(headers);
    if (becomesGet(status, method)) {
      method = 'GET';
      body = { content: undefined, once: false };
      for (const name of ['content-type', 'content-length', 'content-encoding']) headers.delete(name);
    }
    if (body.once) refuse('and the body is a stream, which can be sent only once');
    url = to;
  }
}

type Sent = Pick<PreparedRequest, 'method' | 'headers' | 'body' | 'signal'>;

function initOf({ method, headers, body, signal }: Sent): RequestInit {
  const init: RequestInit = { method, headers: headers.toObject(), signal, redirect: 'manual' };
  if (body.content === undefined) return init;
  if (method === 'GET' || method === 'HEAD') throw invalidRequest(`a ${method} request has no body; send params`);
  return { ...init, body: body.content, ...(body.once && { duplex: 'half' }) };
}

function nextUrl(location: string, from: URL): URL | null {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (!to || (to.protocol !== 'http:' && to.protocol !== 'https:')) return null;
  // `fetch` refuses URLs with a user in them, and nobody asked this server for one.
  to.username = '';
  to.password = '';
  return to;
}

/** As browsers do: what was posted is not posted again, unless the status says so. */
function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== 'GET' && method !== 'HEAD';
  return (status === 301 || status === 302) && method === 'POST';
}

/** What proves to one server who we are is nobody else's business. */
function dropSecrets(headers: NamedHeaders): void {
  for (const name of Object.keys(headers.toObject())) if (isSecretAbroad(name)) headers.delete(name);
}
