import { PermanentError } from '../failures/handler-errors.ts';
import { messageOfThrown } from '../failures/thrown.ts';
import { invalidRequest } from '../misuse.ts';
import type { ApiResponseContent } from './api-response.ts';
import { headersOf, isJsonType, statusOf } from './response-like.ts';

/** Parameters of {@link readBody}. */
interface Reading {
  maxBytes: number;
  method: string;
  /** Describes the request in error messages. */
  from: string;
}

const WITHOUT_BODY = new Set([204, 205, 304]);

/**
 * Reads the whole body of a response, decompressed, up to a maximum number of bytes. Reads the stream or, if a mocked
 * `fetch` returned none, `json()` or `text()`. The body is empty if both return undefined. Throws `response_too_large`
 * beyond the limit. Throws `invalid_request` if the response has no body to read, so that an incomplete mock is not
 * mistaken for an empty response.
 */
export async function readBody(response: Response, reading: Reading): Promise<ApiResponseContent> {
  const body: unknown = response.body;
  if (isStream(body)) return { bytes: await bytesOf(body, headersOf(response), reading) };
  return bodyByMethods(response, reading);
}

type Stream = AsyncIterable<Uint8Array | string> & { cancel?(): Promise<void> };

function isStream(body: unknown): body is Stream {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

async function bytesOf(body: Stream, headers: Record<string, string>, reading: Reading): Promise<Uint8Array> {
  if (headers['content-encoding'] === undefined && Number(headers['content-length']) > reading.maxBytes) {
    await body.cancel?.();
    throw tooLarge(reading);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Throwing inside the loop cancels the stream, which closes the connection.
  for await (const piece of body) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    size += chunk.byteLength;
    if (size > reading.maxBytes) throw tooLarge(reading);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

async function bodyByMethods(response: Response, reading: Reading): Promise<ApiResponseContent> {
  const canJson = typeof response.json === 'function';
  const jsonFirst = canJson && isJsonType(headersOf(response)['content-type']);
  let json = jsonFirst ? await jsonOf(response) : undefined;
  if (json?.value !== undefined) return json;

  const canText = typeof response.text === 'function';
  const text: unknown = canText ? await textOf(response, json) : undefined;
  if (typeof text === 'string' && Buffer.byteLength(text) > reading.maxBytes) throw tooLarge(reading);
  if (typeof text === 'string' && text !== '') return { text };

  if (canJson && !jsonFirst) json = await jsonOf(response);
  if (json?.value !== undefined) return json;
  if (json?.failure && text === undefined) throw json.failure.thrown;
  if (text === '') return { text };
  if (json?.jsonError !== undefined) return { text: '', jsonError: json.jsonError };
  if (canJson && canText && text === undefined) return { text: '' };
  if (WITHOUT_BODY.has(statusOf(response)) || reading.method === 'HEAD') return { text: '' };
  throw invalidRequest(
    `${reading.from}: the response has no readable body: it is not a stream, and json() and text() return nothing; return a Response from the mock`,
  );
}

/** The outcome of `json()`: its value, its parse error, or another error, for example of the connection. */
interface JsonOutcome {
  value?: unknown;
  jsonError?: string;
  failure?: { thrown: unknown };
}

async function jsonOf(response: Response): Promise<JsonOutcome> {
  try {
    return { value: await response.json() };
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) return { failure: { thrown } };
    return { jsonError: `the body is not JSON: ${messageOfThrown(thrown)}` };
  }
}

/** Returns the value of `text()`. If it throws after `json()` did, throws the error of `json()`, which is the cause. */
async function textOf(response: Response, json: JsonOutcome | undefined): Promise<unknown> {
  try {
    return await response.text();
  } catch (thrown) {
    throw json?.failure ? json.failure.thrown : thrown;
  }
}

function tooLarge({ maxBytes, from }: Reading): PermanentError {
  return new PermanentError(
    `${from}: the response has more than ${maxBytes} bytes; increase maxResponseBytes, or read it with stream: true`,
    { errorType: 'response_too_large', metadata: { max_response_bytes: maxBytes } },
  );
}
