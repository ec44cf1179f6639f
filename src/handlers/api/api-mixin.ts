import { knowsItsStep, runningStep, StepHandler, type StepHandlerResult } from '../step-handler.ts';

import { applyMixin, withMembers, withMixins } from '../with-mixins.ts';
import {
  type ApiRequest,
  apiRequest,
  DEFAULT_MAX_RESPONSE_BYTES,
  DEFAULT_TIMEOUT,
  type HttpClient,
  platformFetch,
} from './api-request.ts';
import type { ApiResponse } from './api-response.ts';
import { type ApiFailureOptions, apiFailure, apiSuccess, connectionError, timeoutError } from './api-results.ts';

import {
  type ApiBodyOptions,
  type ApiRequestOptions,
  bodyOptions,
  deleteOptions,
  getOptions,
  type RequestHeaders,
  type RequestParams,
} from './request-options.ts';

/** What a handler can do that calls HTTP services. */
export interface APICapable {
  /** What paths are put behind: the class's static `baseUrl`, unless the handler has a field or getter of its own. */
  readonly baseUrl: string;
  /** Milliseconds for a request, 0 for none: the class's static `defaultTimeout`, 30,000. */
  readonly timeout: number;
  /** Sent with each request: the class's static `defaultHeaders`. */
  readonly defaultHeaders: Readonly<Record<string, string>>;
  /** How many bytes an answer may have, unpacked: the class's static `maxResponseBytes`, 10 MiB. */
  readonly maxResponseBytes: number;
  /** What requests are sent with. May be set, to one's own `fetch` for example; what it leaves out stays. */
  get httpClient(): HttpClient;
  set httpClient(client: Partial<HttpClient>);

  /** `get(path, { params, headers, … })`. Gives the answer whatever its status; throws when there is none. */
  get(path: string | URL, options?: ApiRequestOptions): Promise<ApiResponse>;
  /** `get(path, params, headers)`. */
  get(path: string | URL, params: RequestParams | undefined, headers?: RequestHeaders): Promise<ApiResponse>;
  /** `post(path, { json, params, headers, … })`, as all that have a body. */
  post(path: string | URL, options?: ApiBodyOptions): Promise<ApiResponse>;
  put(path: string | URL, options?: ApiBodyOptions): Promise<ApiResponse>;
  patch(path: string | URL, options?: ApiBodyOptions): Promise<ApiResponse>;
  /** `delete(path, { params, headers, … })`. */
  delete(path: string | URL, options?: ApiBodyOptions): Promise<ApiResponse>;
  /** `delete(path, headers)`. */
  delete(path: string | URL, headers: RequestHeaders): Promise<ApiResponse>;
  /** Any method; a text as `body` goes as it is, as with `fetch`. */
  request(method: string, path: string | URL, options?: ApiBodyOptions | RequestInit): Promise<ApiResponse>;

  /**
   * The success of the step: with the answer's body as result (an object or list as it is, else `{ data: body }`), or
   * with a result of one's own. An answer that is no success is its failure (see `apiFailure`), and one whose JSON
   * is broken is an `invalid_json`, unless a result is given. Status and headers become metadata unless
   * `includeResponse` is false.
   */
  apiSuccess(response: ApiResponse, result?: object, includeResponse?: boolean): StepHandlerResult;
  apiSuccess(success: { response: ApiResponse; result?: object; includeResponse?: boolean }): StepHandlerResult;
  /** A success without an answer. */
  apiSuccess(result: object): StepHandlerResult;
  /**
   * The failure of the step that the answer's status means: its type, whether it is retryable (408, 429, 500 to 504)
   * and when, by its `Retry-After`. What is given besides wins.
   */
  apiFailure(response: ApiResponse, messageOrOptions?: string | ApiFailureOptions): StepHandlerResult;
  apiFailure(failure: ApiFailureOptions & { response: ApiResponse }): StepHandlerResult;
  /** A retryable failure of type `connection_error`: `Connection error while {context}: …`. */
  connectionError(error: unknown, context?: string): StepHandlerResult;
  /** A retryable failure of type `timeout`: `Request timeout while {context}: …`. */
  timeoutError(error: unknown, context?: string): StepHandlerResult;
}

/** The statics of a handler class that its requests go by. */
export interface ApiDefaults {
  /** What paths are put behind; default none. */
  readonly baseUrl: string;
  /** Milliseconds, 0 for none; default 30,000. */
  readonly defaultTimeout: number;
  /** Sent with each request; default none. */
  readonly defaultHeaders: Readonly<Record<string, string>>;
  /** Default 10 MiB. */
  readonly maxResponseBytes: number;
}

// Methods that send are asynchronous, so that options that make no sense reject like all that goes wrong.
const members: APICapable & { readonly capabilities: string[] } = {
  get capabilities() {
    return ['http', 'api'];
  },

  get baseUrl() {
    return defaultsOf(this).baseUrl ?? '';
  },

  get timeout() {
    return defaultsOf(this).defaultTimeout ?? DEFAULT_TIMEOUT;
  },

  get defaultHeaders() {
    return defaultsOf(this).defaultHeaders ?? {};
  },

  get maxResponseBytes() {
    return defaultsOf(this).maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
  },

  get httpClient(): HttpClient {
    const { baseUrl, timeout, defaultHeaders } = this;
    return { fetch: platformFetch, baseUrl, timeout, defaultHeaders };
  },

  set httpClient(client: Partial<HttpClient>) {
    // A property of the handler's own, and not a private field: these methods run on objects that this class did not make.
    Object.defineProperty(this, 'httpClient', { value: client, writable: true, configurable: true, enumerable: true });
  },

  async get(path: string | URL, first?: object, headers?: RequestHeaders) {
    return send(this, { method: 'GET', path, options: getOptions(first, headers) });
  },

  post: sendsBody('POST'),
  put: sendsBody('PUT'),
  patch: sendsBody('PATCH'),

  async delete(path: string | URL, first?: object) {
    return send(this, { method: 'DELETE', path, options: deleteOptions(first) });
  },

  async request(method, path, options) {
    const given = bodyOptions(options as ApiBodyOptions | undefined, { alsoOfFetch: true });
    return send(this, { method, path, options: given, textIsBody: true });
  },

  apiSuccess,
  apiFailure,
  connectionError,
  timeoutError,
};

const Mixin = Object.assign(withMembers(members), {
  baseUrl: '',
  defaultTimeout: DEFAULT_TIMEOUT,
  defaultHeaders: Object.freeze({}),
  maxResponseBytes: DEFAULT_MAX_RESPONSE_BYTES,
});
Object.defineProperty(Mixin, 'name', { value: 'APIMixin' });
knowsItsStep(Mixin.prototype);

/**
 * HTTP for a handler: `class Notify extends withMixins(StepHandler, APIMixin)`. Requests end with the running step, and
 * what they come to becomes the step's result with `apiSuccess` and `apiFailure`.
 *
 * @example
 * class Notify extends withMixins(StepHandler, APIMixin, DecisionMixin) {
 *   static override handlerName = 'notify';
 *   static override baseUrl = 'https://api.example.com';
 *
 *   async call() {
 *     const response = await this.get('/subscribers', { params: { active: true } });
 *     return response.ok ? this.decisionSuccess(['send_mails'], response) : this.apiFailure(response);
 *   }
 * }
 */
// Typed by the interface, not by the class: a handler may then give `baseUrl` as a field as well as by a getter.
export const APIMixin: ApiDefaults & { new (): APICapable; readonly prototype: APICapable } = Mixin;

/** An instance of the mixin. */
export type APIMixin = APICapable;

/**
 * Gives a handler the methods of {@link APIMixin}, in its constructor. What it has already stays.
 *
 * @example
 * class FetchUser extends StepHandler {
 *   static override handlerName = 'fetch_user';
 *   static baseUrl = 'https://api.example.com';
 *   readonly api = applyAPI(this);
 *
 *   async call(context: StepContext) {
 *     return this.api.apiSuccess(await this.api.get(`/users/${context.getInput('user_id')}`));
 *   }
 * }
 */
export function applyAPI<Target extends object>(target: Target): Target & APICapable {
  return applyMixin(target, APIMixin);
}

/**
 * The base of handlers that call an HTTP service: a `StepHandler` with the methods of {@link APIMixin}.
 *
 * An answer of any status is given, not thrown; `apiSuccess` makes a success of it, or the failure that its status
 * means. A connection that fails and a request that takes too long are thrown, and retried. Each request ends with the
 * step: at its timeout, when its task is cancelled, when the worker stops.
 *
 * @example
 * class FetchUser extends ApiHandler {
 *   static override handlerName = 'fetch_user';
 *   static override baseUrl = 'https://api.example.com';
 *
 *   async call(context: StepContext) {
 *     const response = await this.get(`/users/${context.inputData.user_id}`);
 *     return this.apiSuccess(response); // 404: fails for good; 503: tried again
 *   }
 * }
 */
export abstract class ApiHandler extends withMixins(StepHandler, APIMixin) {}

function defaultsOf(handler: object): Partial<ApiDefaults> {
  return handler.constructor as Partial<ApiDefaults>;
}

function sendsBody(method: string): APICapable['post'] {
  return async function (this: APICapable, path, options) {
    return send(this, { method, path, options: bodyOptions(options) });
  };
}

type Sent = Pick<ApiRequest, 'method' | 'path' | 'options' | 'textIsBody'>;

function send(handler: APICapable, request: Sent): Promise<ApiResponse> {
  const { maxResponseBytes } = handler;
  return apiRequest({ ...request, client: clientOf(handler), step: runningStep(handler), maxResponseBytes });
}

/** The handler's client; what one that was put in its place leaves out is the handler's. */
function clientOf(handler: APICapable): HttpClient {
  const client: Partial<HttpClient> = handler.httpClient;
  return {
    fetch: client.fetch ? (url, init) => client.fetch!(url, init) : platformFetch,
    baseUrl: client.baseUrl ?? handler.baseUrl,
    timeout: client.timeout ?? handler.timeout,
    defaultHeaders: client.defaultHeaders ?? handler.defaultHeaders,
  };
}
