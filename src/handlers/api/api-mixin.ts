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

/** The methods of a handler that calls HTTP services. */
export interface APICapable {
  /** Base URL for relative paths: the class's static `baseUrl`, unless the handler has its own field or getter. */
  readonly baseUrl: string;
  /** Timeout of a request in milliseconds, 0 for none: the class's static `defaultTimeout`, 30,000. */
  readonly timeout: number;
  /** Headers of each request: the class's static `defaultHeaders`. */
  readonly defaultHeaders: Readonly<Record<string, string>>;
  /** Maximum size of a response body in bytes, after decompression: the class's static `maxResponseBytes`, 10 MiB. */
  readonly maxResponseBytes: number;
  /**
   * The client that sends the requests. Assign it to use your own `fetch`, for example. Omitted properties keep their
   * values.
   */
  get httpClient(): HttpClient;
  set httpClient(client: Partial<HttpClient>);

  /**
   * Sends a GET request: `get(path, { params, headers, … })`. Returns the response regardless of its status, and throws
   * if there is none. The same applies to the other methods.
   */
  get(path: string | URL, options?: ApiRequestOptions): Promise<ApiResponse>;
  /** Sends a GET request: `get(path, params, headers)`. */
  get(path: string | URL, params: RequestParams | undefined, headers?: RequestHeaders): Promise<ApiResponse>;
  /** Sends a POST request: `post(path, { json, params, headers, … })`. `put` and `patch` have the same form. */
  post(path: string | URL, options?: ApiBodyOptions): Promise<ApiResponse>;
  put(path: string | URL, options?: ApiBodyOptions): Promise<ApiResponse>;
  patch(path: string | URL, options?: ApiBodyOptions): Promise<ApiResponse>;
  /** Sends a DELETE request: `delete(path, { params, headers, … })`. */
  delete(path: string | URL, options?: ApiBodyOptions): Promise<ApiResponse>;
  /** Sends a DELETE request: `delete(path, headers)`. */
  delete(path: string | URL, headers: RequestHeaders): Promise<ApiResponse>;
  /** Sends a request with any method. A string `body` is sent as is, as with `fetch`. */
  request(method: string, path: string | URL, options?: ApiBodyOptions | RequestInit): Promise<ApiResponse>;

  /**
   * Returns the success of the step. The result is the response body (an object or list as is, anything else as
   * `{ data: body }`), or the given result. Without a given result, an unsuccessful response is a failure (see
   * `apiFailure`), and a response with invalid JSON is a failure of type `invalid_json`. Status and headers are stored
   * as metadata unless `includeResponse` is false.
   */
  apiSuccess(response: ApiResponse, result?: object, includeResponse?: boolean): StepHandlerResult;
  apiSuccess(success: { response: ApiResponse; result?: object; includeResponse?: boolean }): StepHandlerResult;
  /** Returns a success without a response. */
  apiSuccess(result: object): StepHandlerResult;
  /**
   * Returns a failure derived from the response's status: the error type, whether it is retryable (408, 429, 500 to
   * 504), and the delay of its `Retry-After` header. The given options override these.
   */
  apiFailure(response: ApiResponse, messageOrOptions?: string | ApiFailureOptions): StepHandlerResult;
  apiFailure(failure: ApiFailureOptions & { response: ApiResponse }): StepHandlerResult;
  /** Returns a retryable failure of type `connection_error`: `Connection error while {context}: …`. */
  connectionError(error: unknown, context?: string): StepHandlerResult;
  /** Returns a retryable failure of type `timeout`: `Request timeout while {context}: …`. */
  timeoutError(error: unknown, context?: string): StepHandlerResult;
}

/** The static settings of a handler class for its requests. */
export interface ApiDefaults {
  /** Base URL for relative paths. Default none. */
  readonly baseUrl: string;
  /** Timeout of a request in milliseconds, 0 for none. Default 30,000. */
  readonly defaultTimeout: number;
  /** Headers of each request. Default none. */
  readonly defaultHeaders: Readonly<Record<string, string>>;
  /** Maximum size of a response body in bytes, after decompression. Default 10 MiB. */
  readonly maxResponseBytes: number;
}

// The request methods are async functions, so invalid options reject the promise like any other error.
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
    // An own property rather than a private field, because these methods run on objects that this class did not create.
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
    const given = bodyOptions(options as ApiBodyOptions | undefined, { acceptFetchOptions: true });
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
 * HTTP requests for a handler: `class Notify extends withMixins(StepHandler, APIMixin)`. Requests are aborted when the
 * running step ends. `apiSuccess` and `apiFailure` turn responses into the step's result.
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
// Typed by the interface, not by the class, so that a handler can define `baseUrl` as a field or as a getter.
export const APIMixin: ApiDefaults & { new (): APICapable; readonly prototype: APICapable } = Mixin;

/** An instance of the mixin. */
export type APIMixin = APICapable;

/**
 * Adds the methods of {@link APIMixin} to a handler, in its constructor. Existing members are kept.
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
 * The base class of handlers that call an HTTP service: a `StepHandler` with the methods of {@link APIMixin}.
 *
 * A response of any status is returned, not thrown. `apiSuccess` turns it into a success or into the failure for its
 * status. Connection errors and request timeouts are thrown, and the step is retried. Requests are aborted when the
 * step ends: on its timeout, when its task is cancelled, or when the worker stops.
 *
 * @example
 * class FetchUser extends ApiHandler {
 *   static override handlerName = 'fetch_user';
 *   static override baseUrl = 'https://api.example.com';
 *
 *   async call(context: StepContext) {
 *     const response = await this.get(`/users/${context.inputData.user_id}`);
 *     return this.apiSuccess(response); // 404: permanent failure; 503: retried
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

/** Returns the handler's client. Properties that a custom client omits are taken from the handler. */
function clientOf(handler: APICapable): HttpClient {
  const client: Partial<HttpClient> = handler.httpClient;
  return {
    fetch: client.fetch ? (url, init) => client.fetch!(url, init) : platformFetch,
    baseUrl: client.baseUrl ?? handler.baseUrl,
    timeout: client.timeout ?? handler.timeout,
    defaultHeaders: client.defaultHeaders ?? handler.defaultHeaders,
  };
}
