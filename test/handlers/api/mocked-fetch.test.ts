import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ApiHandler,
  ApiResponse,
  defineApiHandler,
  StepContext,
  type StepHandlerClass,
  type StepHandlerResult,
} from '../../../src/index.ts';

class FetchUser extends ApiHandler {
  static override readonly handlerName = 'fetch_user';
  static override readonly baseUrl = 'https://api.example.com';
  static override readonly defaultHeaders = { Authorization: 'Bearer t', 'X-Team': 'blue' };

  override async call(context: StepContext): Promise<StepHandlerResult> {
    const response = await this.get('/users', { params: { id: context.getInput('user_id') } });
    return response.ok ? this.apiSuccess(response) : this.apiFailure(response);
  }
}

const createUser = defineApiHandler('create_user', { baseUrl: 'https://api.example.com' }, async ({ api }) =>
  api.apiSuccess(await api.post('/users', { body: { name: 'Ada' }, headers: { 'X-Request-Id': 'r-1' } })),
);

function run(handler: StepHandlerClass = FetchUser) {
  const inputData = { user_id: 'U-7' };
  const context = new StepContext({ taskUuid: 'task-123', stepUuid: 'step-456', handlerName: 'x', inputData });
  return new handler().call(context);
}

const mockFetch = vi.fn<(...args: unknown[]) => Promise<unknown>>();
const answerWith = (response: unknown) => mockFetch.mockResolvedValue(response);

beforeEach(() => {
  mockFetch.mockReset();
  vi.stubGlobal('fetch', mockFetch);
});
afterEach(() => vi.unstubAllGlobals());

describe('a handler under a mocked fetch', () => {
  it('calls fetch with the URL as a string, and with headers as a plain object whose names keep their case', async () => {
    answerWith({ ok: true, status: 200, headers: new Headers(), json: async () => ({ id: 'U-7' }) });
    await run();
    expect(mockFetch).toHaveBeenCalledWith(
      'https://api.example.com/users?id=U-7',
      expect.objectContaining({
        method: 'GET',
        headers: { Authorization: 'Bearer t', 'X-Team': 'blue' },
        signal: expect.any(AbortSignal),
      }),
    );
  });

  it('sends JSON as a string with the header Content-Type', async () => {
    answerWith({ ok: true, status: 201, json: async () => ({ id: 'U-8' }) });
    expect(await run(createUser)).toMatchObject({ success: true, result: { id: 'U-8' } });
    expect(mockFetch).toHaveBeenCalledWith(
      'https://api.example.com/users',
      expect.objectContaining({
        method: 'POST',
        body: '{"name":"Ada"}',
        headers: { 'X-Request-Id': 'r-1', 'Content-Type': 'application/json' },
      }),
    );
  });

  it('sends only the last of two spellings of a header', async () => {
    answerWith({ ok: true, status: 200, json: async () => ({}) });
    class Loud extends FetchUser {
      override async call(): Promise<StepHandlerResult> {
        const response = await this.get('/', undefined, { AUTHORIZATION: 'Bearer u', 'x-é': undefined });
        return this.apiSuccess(response);
      }
    }
    await run(Loud);
    expect(mockFetch.mock.calls[0]![1]).toMatchObject({ headers: { AUTHORIZATION: 'Bearer u', 'X-Team': 'blue' } });
    expect(Object.keys((mockFetch.mock.calls[0]![1] as { headers: object }).headers)).toHaveLength(2);
  });

  const JSON_HEADERS = { 'Content-Type': 'application/json; charset=utf-8' };
  const json = async () => ({ id: 'U-7' });
  it.each<[string, object]>([
    ['empty Headers and json()', { ok: true, status: 200, headers: new Headers(), json }],
    ['no headers and json()', { ok: true, status: 200, json }],
    ['no status', { ok: true, json }],
    ['no ok', { status: 200, json }],
    ['headers as an object', { ok: true, status: 200, headers: JSON_HEADERS, text: async () => '{"id":"U-7"}' }],
    [
      'headers as a Map',
      { status: 200, headers: new Map(Object.entries(JSON_HEADERS)), text: async () => '{"id":"U-7"}' },
    ],
    [
      'headers that have only get()',
      {
        status: 200,
        headers: { get: (name: string) => (name.toLowerCase() === 'content-type' ? 'application/json' : null) },
        text: async () => '{"id":"U-7"}',
      },
    ],
    [
      'a text that is not the JSON of json()',
      { status: 200, headers: new Headers(JSON_HEADERS), json, text: async () => '[object Object]' },
    ],
    ['an empty text and json()', { status: 200, headers: new Headers(), json, text: async () => '' }],
    ['a text() that returns undefined, and json()', { status: 200, json, text: vi.fn() }],
    [
      'a json() that rejects, and text()',
      {
        status: 200,
        headers: new Headers(JSON_HEADERS),
        json: async () => JSON.parse('') as unknown,
        text: async () => '{"id":"U-7"}',
      },
    ],
    [
      'a json() that throws any error, and text()',
      {
        status: 200,
        headers: new Headers(JSON_HEADERS),
        json: () => Promise.reject(new Error('not mocked')),
        text: async () => '{"id":"U-7"}',
      },
    ],
    ['a body that is not a stream', { status: 200, body: { id: 'U-7' }, json }],
    ['a stream of Node as body', { status: 200, headers: JSON_HEADERS, body: Readable.from(['{"id":', '"U-7"}']) }],
    ['a real Response', new Response('{"id":"U-7"}', { headers: JSON_HEADERS })],
  ])('reads the body of a response with %s', async (_, response) => {
    answerWith(response);
    expect(await run()).toMatchObject({ success: true, result: { id: 'U-7' } });
  });

  it('reads a body as text if its type is not JSON', async () => {
    answerWith({ ok: true, status: 200, headers: new Headers(), text: async () => 'naïve 😀' });
    expect(await run()).toMatchObject({ success: true, result: { data: 'naïve 😀' } });
  });

  it.each([
    [404, 'not_found', false],
    [503, 'service_unavailable', true],
  ])('turns a mocked status %i into the failure %s', async (status, errorType, retryable) => {
    answerWith({
      ok: false,
      status,
      statusText: 'Nope',
      headers: new Headers(),
      json: async () => ({ error: 'gone' }),
    });
    const message = `HTTP ${status}: gone`;
    expect(await run()).toMatchObject({ success: false, errorType, retryable, errorMessage: message });
  });

  it('treats a response that has only ok: false as a server error', async () => {
    answerWith({ ok: false, text: async () => 'sorry' });
    expect(await run()).toMatchObject({ success: false, errorType: 'internal_server_error' });
  });

  it('reads null from json() as null', async () => {
    answerWith({ ok: true, status: 200, json: async () => null });
    expect(await run()).toMatchObject({ success: true, result: { data: null } });
  });

  it.each<[string, object]>([
    ['no text() and no json()', { ok: true, status: 200, headers: new Headers() }],
    ['a body of null', { ok: true, status: 200, body: null }],
    ['json() that returns undefined', { ok: true, status: 200, json: vi.fn() }],
    ['a text() that returns a number', { ok: true, status: 200, text: async () => 7 }],
  ])('never treats a response with %s as an empty success', async (_, response) => {
    answerWith(response);
    await expect(run()).rejects.toMatchObject({
      errorType: 'invalid_request',
      retryable: false,
      message: expect.stringMatching(
        /^GET https:\/\/api\.example\.com\/users\?id=U-7: the response has no readable body: /,
      ),
    });
  });

  it.each([[undefined], [null], ['ok'], [{}]])('reports that %j is not a response', async (response) => {
    answerWith(response);
    await expect(run()).rejects.toMatchObject({
      retryable: false,
      message: expect.stringMatching(/fetch returned .*, which is not a response/),
    });
  });

  it('has no body for status 204 without text() and json()', async () => {
    answerWith({ ok: true, status: 204, headers: new Headers() });
    expect(await run()).toMatchObject({ success: true, result: { data: '' } });
  });

  it('fails according to the status if json() cannot parse the body, or with invalid_json if the response is ok', async () => {
    const broken = async () => JSON.parse('<html>') as unknown;
    answerWith({ ok: true, status: 200, json: broken });
    expect(await run()).toMatchObject({ success: false, errorType: 'invalid_json', retryable: true });
    answerWith({ ok: false, status: 404, json: broken });
    expect(await run()).toMatchObject({ success: false, errorType: 'not_found', retryable: false });
  });

  it('treats a response whose json() rejects with another error as a lost connection', async () => {
    answerWith({ ok: true, status: 200, json: () => Promise.reject(new Error('socket hang up')) });
    await expect(run()).rejects.toMatchObject({ errorType: 'connection_error', retryable: true });
  });

  it('reports the error of json() if text() throws too', async () => {
    const lost = () => Promise.reject(new Error('socket hang up'));
    const used = () => Promise.reject(new TypeError('Body is unusable'));
    answerWith({ ok: true, status: 200, headers: new Headers(JSON_HEADERS), json: lost, text: used });
    await expect(run()).rejects.toMatchObject({ message: expect.stringContaining('socket hang up') });
  });

  it('has no body if json() and text() both return undefined', async () => {
    answerWith({ ok: true, status: 200, json: vi.fn(), text: vi.fn() });
    expect(await run()).toMatchObject({ success: true, result: { data: '' } });
    answerWith({ ok: false, status: 404, headers: new Headers(JSON_HEADERS), json: vi.fn(), text: vi.fn() });
    expect(await run()).toMatchObject({ success: false, errorType: 'not_found' });
  });

  it('follows a mocked redirect', async () => {
    mockFetch.mockResolvedValueOnce({ status: 302, headers: new Map([['Location', '/moved']]) });
    mockFetch.mockResolvedValueOnce({ ok: true, status: 200, json });
    expect(await run()).toMatchObject({ success: true, result: { id: 'U-7' } });
    expect(mockFetch.mock.calls.map(([url]) => url)).toEqual([
      'https://api.example.com/users?id=U-7',
      'https://api.example.com/moved',
    ]);
  });

  it('applies maxResponseBytes to text', async () => {
    class Small extends FetchUser {
      static override readonly maxResponseBytes = 10;
    }
    answerWith({ ok: true, status: 200, text: async () => 'x'.repeat(11) });
    await expect(run(Small)).rejects.toMatchObject({ errorType: 'response_too_large' });
  });
});

describe('an ApiResponse created by hand', () => {
  it('needs only the parts of a Response that a test writes', () => {
    const response = new ApiResponse({ ok: true, status: 200, headers: { 'X-Page': '2' } } as unknown as Response, {
      a: 1,
    });
    expect(response).toMatchObject({ statusCode: 200, ok: true, headers: { 'x-page': '2' }, body: { a: 1 }, url: '' });
    expect(new ApiResponse({ status: 429 } as Response, {}).headers).toEqual({});
  });
});
