import type { LookupAddress } from 'node:dns';
import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pinnedTo } from './pinned-addresses.ts';

/** One request. */
export interface JsonPost {
  url: URL;
  /** Where the host is, looked up and found right. */
  addresses: readonly LookupAddress[];
  headers: Record<string, string>;
  body: string;
  agent: Agent;
  signal: AbortSignal;
}

/** What there is to know of an answer. */
export interface PostAnswer {
  status: number;
  retryAfter: string | undefined;
  location: string | undefined;
}

/** Of an answer's body nothing is needed; so much is read, so long, to have the connection for the next. */
const MOST_BODY_BYTES = 65_536;
const LONGEST_BODY_MS = 1_000;

/** Posts a JSON text. Redirects are an answer like any other. Rejects when there is no answer, and when the signal fires. */
export async function postJson(post: JsonPost): Promise<PostAnswer> {
  return (await attempt(post, post.agent)) ?? (await attempt(post, false)) ?? Promise.reject(new Error('no answer'));
}

/** Undefined: the other side had closed an idle connection just when it was taken for this. */
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
      void readAway(response).then(() => resolve(answer));
    });
    sent.end(body);
  });
}

/** Reads what follows the headers and forgets it. How that ends changes nothing: the answer is known. */
function readAway(response: IncomingMessage): Promise<void> {
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
