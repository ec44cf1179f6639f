import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ApiResponse, isApiResponse } from '../../../src/handlers/api/api-response.ts';
import { resultOfReturn } from '../../../src/handlers/outcome.ts';
import { StepHandlerResult } from '../../../src/handlers/step-handler.ts';
import { apiOf } from './api-of.ts';
import { httpServer, json } from './http-server.ts';

const api = apiOf({});

/** Returns a response with this status, body and headers. */
function answer(status: number, body: unknown = {}, headers: Record<string, string> = {}): ApiResponse {
  return new ApiResponse(new Response(null, { status, headers }), body);
}

/** Returns the response of a server as a handler reads it. */
async function read(body: string | Buffer, headers: Record<string, string> = {}, status = 200): Promise<ApiResponse> {
  const { url } = await httpServer((_, response) => response.writeHead(status, headers).end(body));
  return apiOf({ baseUrl: url }).get('/');
}

describe('a response', () => {
  it('is classified by its status', () => {
    const all = Array.from({ length: 400 }, (_, i) => i + 200).map((status) => answer(status));
    const which = (is: (one: ApiResponse) => boolean) => all.filter(is).map(({ statusCode }) => statusCode);
    const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
    expect(which(({ ok }) => ok)).toEqual(range(200, 299));
    expect(which(({ isClientError }) => isClientError)).toEqual(range(400, 499));
    expect(which(({ isServerError }) => isServerError)).toEqual(range(500, 599));
    expect(which(({ isRetryable }) => isRetryable)).toEqual([408, 429, 500, 501, 502, 503, 504]);
  });

  it('has its headers under lower-case names', async () => {
    const response = await read('{}', { 'Content-Type': 'application/json', 'X-Both': 'a, b' });
    expect(response.headers).toMatchObject({ 'content-type': 'application/json', 'x-both': 'a, b' });
    expect(response.rawResponse).toBeInstanceOf(Response);
    expect([isApiResponse(response), isApiResponse({ statusCode: 200 }), isApiResponse(null)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it.each<[string, string | Buffer, Record<string, string>, unknown]>([
    ['JSON', '{"a":1}', { 'content-type': 'application/json; charset=utf-8' }, { a: 1 }],
    ['JSON of another kind', '[1]', { 'content-type': 'application/problem+json' }, [1]],
    ['JSON with a byte order mark', '\ufeff{"a":1}', { 'content-type': 'application/json' }, { a: 1 }],
    [
      'JSON packed with gzip',
      gzipSync('{"a":1}'),
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      { a: 1 },
    ],
    ['JSON that is declared as text', '{"a":1}', { 'content-type': 'text/plain' }, '{"a":1}'],
    ['JSON without a declared type', '{"a":1}', {}, '{"a":1}'],
    ['text with a type similar to JSON', '{"a":1}', { 'content-type': 'application/jsonish' }, '{"a":1}'],
    ['text', 'hello', { 'content-type': 'text/plain' }, 'hello'],
    [
      'text in Latin 1',
      Buffer.from('Grüße', 'latin1'),
      { 'content-type': 'text/plain; charset="ISO-8859-1"' },
      'Grüße',
    ],
    ['text in an unknown charset', 'Grüße', { 'content-type': 'text/plain; charset=klingon' }, 'Grüße'],
    ['JSON that is empty', '', { 'content-type': 'application/json' }, ''],
  ])('has this body: %s', async (_, body, headers, expected) => {
    const response = await read(body, headers);
    expect(response.body).toEqual(expected);
    expect(response.jsonError).toBeNull();
  });

  it('has an empty string as its text if it has no body', async () => {
    const response = await read('', {}, 204);
    expect(response).toMatchObject({ statusCode: 204, ok: true, body: '', text: '' });
  });

  it('keeps the bytes of a body that is not text', async () => {
    const bytes = Buffer.from([0xff, 0xd8, 0xff, 0x00]);
    expect(Buffer.from((await read(bytes, { 'content-type': 'image/jpeg' })).bytes)).toEqual(bytes);
  });

  it('has the text and the parse error if its JSON is invalid', async () => {
    const response = await read('<html>Bad gateway</html>', { 'content-type': 'application/json' });
    expect(response.body).toBe('<html>Bad gateway</html>');
    expect(response.jsonError).toBe('the body is not JSON: it begins "<html>Bad gateway</html>"');
  });

  it.each([
    [undefined, null],
    ['2', 2],
    ['0', 0],
    ['soon', 60],
    ['-5', 60],
    ['120abc', 60],
  ])('with Retry-After %j requests a delay of %j seconds', (value, seconds) => {
    expect(answer(429, {}, value === undefined ? {} : { 'retry-after': value }).retryAfter).toBe(seconds);
  });

  it('measures a delay until a date by the clock of the server that sent the date', () => {
    const date = 'Wed, 21 Oct 2026 07:28:00 GMT';
    const until = 'Wed, 21 Oct 2026 07:28:30 GMT';
    expect(answer(429, {}, { 'retry-after': until, date }).retryAfter).toBe(30);
    const soon = new Date(Date.now() + 20_000).toUTCString();
    expect(answer(429, {}, { 'retry-after': soon }).retryAfter).toBeCloseTo(20, -0.5);
  });

  it('has a plain form without secrets, which can be stored', () => {
    const response = answer(200, { a: 1 }, { 'set-cookie': 's=1', 'x-api-key': 'k', 'x-page': '2' });
    const stored = {
      status_code: 200,
      headers: { 'set-cookie': '[redacted]', 'x-api-key': '[redacted]', 'x-page': '2' },
      body: { a: 1 },
    };
    expect(response.toDict()).toEqual(stored);
    expect(JSON.parse(JSON.stringify({ response }))).toEqual({ response: stored });
    expect(response.headers['set-cookie']).toBe('s=1');
  });
});

describe('apiSuccess', () => {
  it('uses the body as the result, and wraps a body that is neither an object nor a list in data', () => {
    expect(api.apiSuccess(answer(200, { a: 1 }))).toMatchObject({ success: true, result: { a: 1 } });
    expect(api.apiSuccess(answer(200, 'text')).result).toEqual({ data: 'text' });
    expect(api.apiSuccess(answer(200, [1])).result).toEqual({ result: [1] });
  });

  it('keeps a body whose keys are result and metadata as the result', () => {
    const body = { result: 1, metadata: { page: 2 } };
    expect(api.apiSuccess(answer(200, body)).result).toEqual(body);
    expect(api.apiSuccess(answer(200), body).result).toEqual(body);
  });

  it('stores status and headers as metadata, unless disabled', () => {
    const response = answer(201, {}, { 'x-page': '2', 'set-cookie': 's=1' });
    expect(api.apiSuccess(response).metadata).toEqual({
      status_code: 201,
      headers: { 'x-page': '2', 'set-cookie': '[redacted]' },
    });
    expect(api.apiSuccess(response, { mine: true }, false)).toMatchObject({ result: { mine: true }, metadata: {} });
    const result = { mine: true };
    expect(api.apiSuccess({ response, result, includeResponse: false })).toMatchObject({ result, metadata: {} });
    expect(api.apiSuccess(result)).toMatchObject({ success: true, result, metadata: {} });
  });

  it('returns a failure for an unsuccessful response, unless a result is given', () => {
    expect(api.apiSuccess(answer(500))).toMatchObject({
      success: false,
      errorType: 'internal_server_error',
      retryable: true,
    });
    expect(api.apiSuccess(answer(404), { found: false })).toMatchObject({ success: true, result: { found: false } });
  });

  it('returns a retryable failure that shows the beginning of invalid JSON', async () => {
    const response = await read('{"a":', { 'content-type': 'application/json' });
    expect(api.apiSuccess(response)).toMatchObject({
      success: false,
      errorType: 'invalid_json',
      errorMessage: 'the body is not JSON: it begins "{\\"a\\":"',
      retryable: true,
      statusCode: 200,
      metadata: { status_code: 200, response_body: '{"a":' },
    });
  });

  it('is applied to a response that a handler returns', () => {
    expect(resultOfReturn(answer(200, { a: 1 }))).toMatchObject({ success: true, result: { a: 1 } });
    expect(resultOfReturn(answer(503))).toMatchObject({ success: false, errorType: 'service_unavailable' });
  });
});

describe('apiFailure', () => {
  it.each([
    [400, 'bad_request', false],
    [401, 'unauthorized', false],
    [402, 'client_error', false],
    [403, 'forbidden', false],
    [404, 'not_found', false],
    [405, 'method_not_allowed', false],
    [408, 'request_timeout', true],
    [409, 'conflict', false],
    [410, 'gone', false],
    [422, 'unprocessable_entity', false],
    [429, 'rate_limited', true],
    [500, 'internal_server_error', true],
    [501, 'server_error', true],
    [502, 'bad_gateway', true],
    [503, 'service_unavailable', true],
    [504, 'gateway_timeout', true],
    [505, 'server_error', false],
    [302, 'http_error', false],
  ])('turns status %i into %s, retryable: %j', (status, errorType, retryable) => {
    expect(api.apiFailure(answer(status))).toMatchObject({ success: false, errorType, retryable, statusCode: status });
  });

  it.each([
    [{ error: 'no such user' }, 'HTTP 404: no such user'],
    [{ error: { message: 'gone' }, message: 'second' }, 'HTTP 404: gone'],
    [{ error: 7, detail: 'the detail' }, 'HTTP 404: the detail'],
    [{ error_message: 'a' }, 'HTTP 404: a'],
    [{ msg: 'b' }, 'HTTP 404: b'],
    [{ other: 1 }, 'HTTP 404: Not Found'],
    ['<html>', 'HTTP 404: Not Found'],
    [null, 'HTTP 404: Not Found'],
  ])('takes the message from the body: %j', (body, message) => {
    expect(api.apiFailure(answer(404, body)).errorMessage).toBe(message);
  });

  it('takes the error code from the body', () => {
    expect(api.apiFailure(answer(402, { code: 'card_declined' })).errorCode).toBe('card_declined');
    expect(api.apiFailure(answer(402, { error: { code: 'no_funds' } })).errorCode).toBe('no_funds');
    expect(api.apiFailure(answer(402, { error: 'x' })).errorCode).toBeNull();
  });

  it('passes Retry-After to the engine', () => {
    const failure = api.apiFailure(answer(429, {}, { 'retry-after': '120' }));
    expect(failure).toMatchObject({ retryAfter: 120, metadata: { retry_after_seconds: 120 } });
    expect(failure.toJSON().orchestration_metadata?.headers).toEqual({ 'retry-after': '120' });
  });

  it('can be overridden by the handler, in either form', () => {
    const response = answer(409, { a: 1 });
    expect(api.apiFailure(response, 'taken')).toMatchObject({ errorMessage: 'taken', errorType: 'conflict' });
    const details = {
      message: 'taken',
      errorType: 'name_taken',
      errorCode: 'E1',
      retryable: true,
      retryAfter: 5,
      metadata: { n: 1 },
    };
    const expected = {
      errorMessage: 'taken',
      errorType: 'name_taken',
      errorCode: 'E1',
      retryable: true,
      retryAfter: 5,
      statusCode: 409,
      metadata: { status_code: 409, response_body: { a: 1 }, n: 1 },
    };
    expect(api.apiFailure(response, details)).toMatchObject(expected);
    expect(api.apiFailure({ response, ...details })).toMatchObject(expected);
  });

  it('keeps the body without secrets, and truncates a long body', () => {
    const body = { user: { name: 'Ada', password: 'p', accessToken: 't' }, errors: [{ key: 'email', 'api-key': 'k' }] };
    expect(api.apiFailure(answer(422, body)).metadata.response_body).toEqual({
      user: { name: 'Ada', password: '[redacted]', accessToken: '[redacted]' },
      errors: [{ key: 'email', 'api-key': '[redacted]' }],
    });
    const long = api.apiFailure(answer(500, { list: 'x'.repeat(50_000) })).metadata.response_body as string;
    expect(long).toHaveLength(2_000);
    expect(api.apiFailure(answer(500, `a\0b${'x'.repeat(5_000)}`)).metadata.response_body).toMatch(/^a\ufffdbx+…$/);
  });
});

describe('connectionError and timeoutError', () => {
  it('are retryable failures with their own types', () => {
    const error = new TypeError('reset');
    expect(api.connectionError(error, 'charging')).toMatchObject({
      success: false,
      errorMessage: 'Connection error while charging: reset',
      errorType: 'connection_error',
      retryable: true,
      metadata: { exception_type: 'TypeError' },
    });
    expect(api.timeoutError(error)).toMatchObject({ errorMessage: 'Request timeout: reset', errorType: 'timeout' });
    expect(api.timeoutError(error)).toBeInstanceOf(StepHandlerResult);
  });
});

describe('a list of responses', () => {
  it('can be requested concurrently by one handler', async () => {
    const { url } = await httpServer(({ url: path }, response) => json(response, { path }));
    const one = apiOf({ baseUrl: url });
    const answers = await Promise.all(['/a', '/b', '/c'].map((path) => one.get(path)));
    expect(answers.map(({ body }) => body)).toEqual([{ path: '/a' }, { path: '/b' }, { path: '/c' }]);
  });
});
