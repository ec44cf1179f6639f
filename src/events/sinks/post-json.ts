import type { LookupAddress } from 'node:dns';
import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pinnedTo } from './pinned-addresses.ts';

/** One request. */
export interface JsonPost {
  url: URL;
  /** The checked addresses of the host. */
  addresses: readonly LookupAddress[];
  headers: Record<string, string>;
  body: string;
  agent: Agent;
  signal: AbortSignal;
}

/** The relevant parts of a response. */
export interface PostAnswer {
  status: number;
  retryAfter: string | undefined;
  location: string | undefined;
}

/** The body of a response is not needed. Up to these limits it is read and discarded, to keep the connection open. */
const MOST_BODY_BYTES = 65_536;
const LONGEST_BODY_MS = 1_000;

/** Posts JSON text. Does not follow redirects. Rejects if there is no response or the signal fires. */
export async function postJson(post: JsonPost): Promise<PostAnswer> {
  return (await attempt(post, post.agent)) ?? (await attempt(post, false)) ?? Promise.reject(new Error('no response'));
}

/** Resolves to undefined if the other side closed an idle connection just as it was reused. */
function attempt(
  { url, addresses, headers, body, signal }: JsonPost,
  agent: Agent | false,
): Promise<PostAnswer | undefined> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const sent = request(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) },
      lookup: pinnedTo(addresses),
      agent,
      signal,
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (sent.reusedSocket && error.code === 'ECONNRESET') resolve(undefined);
      else reject(error);
    });
    sent.on('response', (response) => {
      const { statusCode = 0, headers: answered } = response;
      const answer = { status: statusCode, retryAfter: answered['retry-after'], location: answered.location };
      void discardBody(response).then(() => resolve(answer));
    });
    sent.end(body);
  });
}

/** Reads and discards the body. Errors are ignored, because the status is already known. */
function discardBody(response: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let left = MOST_BODY_BYTES;
    const timer = setTimeout(() => response.destroy(), LONGEST_BODY_MS);
    response.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) response.destroy();
    });
    response.on('error', () => {});
    response.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
