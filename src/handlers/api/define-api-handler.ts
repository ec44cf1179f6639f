import { messageOf, TaskerError } from '../../errors.ts';
import { reader } from '../argument-readers.ts';
import type { AnyInputs, DependencySources, HandlerArgs, InputSources, None } from '../handler-arguments.ts';
import { type HandlerOptions, handlerOfFunction } from '../handler-of-function.ts';
import { belongsTo, type ExecutableHandler, type StepHandlerClass } from '../step-handler.ts';

import { giveMembers } from '../with-mixins.ts';
import { type APICapable, APIMixin, type ApiDefaults } from './api-mixin.ts';
import { DEFAULT_MAX_RESPONSE_BYTES, DEFAULT_TIMEOUT, type HttpClient } from './api-request.ts';
import { httpUrl } from './request-url.ts';

type Headers = Readonly<Record<string, string>>;

/** Options of {@link defineApiHandler}. */
export interface ApiHandlerOptions<Inputs = InputSources, Depends = DependencySources>
  extends HandlerOptions<Inputs, Depends> {
  /** Base URL for relative paths. A function is called on each run, for example to read the environment. */
  baseUrl: string | (() => string);
  /** Timeout of a request in milliseconds, 0 for none. Default 30,000. */
  defaultTimeout?: number;
  /** Headers of each request. A function is called on each run, for example for a token that changes. */
  defaultHeaders?: Headers | (() => Headers);
  /** Maximum size of a response body in bytes, after decompression. Default 10 MiB. */
  maxResponseBytes?: number;
  /** The client to use instead of the platform's `fetch`. */
  httpClient?: Pick<HttpClient, 'fetch'>;
}

/** The arguments of a `defineApiHandler` function: those of `defineHandler`, and `api`. */
export type ApiHandlerArgs<Inputs = None, Depends = None> = HandlerArgs<Inputs, Depends> & {
  /** The handler itself. Sends requests, which are aborted when the step ends. */
  readonly api: APICapable;
};

const MORE_OPTIONS = ['baseUrl', 'defaultTimeout', 'defaultHeaders', 'maxResponseBytes', 'httpClient'];

/**
 * Defines a handler that calls an HTTP service as a function: `defineHandler` with the additional argument `api`. A
 * returned response becomes the step's result as with `api.apiSuccess`: a success, or the failure for its status. For
 * unit tests, the class has the static settings of an {@link ApiHandler} class, and its instances have the methods.
 *
 * Throws `handler_invalid` if the name or the options are invalid.
 *
 * @example
 * const fetchUser = defineApiHandler(
 *   'fetch_user',
 *   { baseUrl: 'https://api.example.com', inputs: { userId: { key: 'user_id', schema: z.string() } } },
 *   ({ userId, api }) => api.get(`/users/${encodeURIComponent(userId)}`),
 * );
 */
export function defineApiHandler<const Inputs extends AnyInputs = None, const Depends extends DependencySources = None>(
  name: string,
  options: ApiHandlerOptions<Inputs, Depends>,
  fn: (args: ApiHandlerArgs<Inputs, Depends>) => unknown,
): DefinedApiHandler {
  refuseInvalidUrl(name, options);
  const defined = handlerOfFunction({
    name,
    options,
    fn,
    moreOptions: MORE_OPTIONS,
    // `api` is the handler, which knows its step.
    shared: false,
    moreArguments: {
      api: reader('api', (context, handler) => belongsTo(handler, context)),
    },
    capabilities: ['process', 'http', 'api'],
  }) as DefinedApiHandler;
  addApiMembers(defined, options);
  return defined;
}

type DefinedApiHandler = (new () => ExecutableHandler & APICapable) & StepHandlerClass & ApiDefaults;

/** The options for requests. */
type RequestSettings = Omit<ApiHandlerOptions, keyof HandlerOptions<never, never>>;

/**
 * Adds the static settings and methods of an API handler to a class. Each step has its own instance, which its function
 * receives as `api`.
 */
function addApiMembers(defined: DefinedApiHandler, settings: RequestSettings): void {
  const { baseUrl, defaultHeaders = {}, httpClient: given } = settings;
  const statics: ApiDefaults = {
    get baseUrl() {
      return typeof baseUrl === 'function' ? baseUrl() : baseUrl;
    },
    get defaultTimeout() {
      return settings.defaultTimeout ?? DEFAULT_TIMEOUT;
    },
    get defaultHeaders() {
      return typeof defaultHeaders === 'function' ? defaultHeaders() : defaultHeaders;
    },
    get maxResponseBytes() {
      return settings.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
    },
  };
  Object.defineProperties(defined, Object.getOwnPropertyDescriptors(statics));
  // Named members only. The mixin's symbol would create an async context for each step, which functions do not need.
  const members = Object.fromEntries(Object.entries(Object.getOwnPropertyDescriptors(APIMixin.prototype)));
  const { get: clientOf, set } = members.httpClient!;
  function clientWithFetch(this: object): HttpClient {
    return { ...(clientOf!.call(this) as HttpClient), fetch: (url, init) => given!.fetch(url, init) };
  }
  giveMembers(defined.prototype, { ...members, httpClient: { get: given ? clientWithFetch : clientOf, set } });
}

/** Checks the base URL when the handler is defined rather than when a step runs. */
function refuseInvalidUrl(name: string, { baseUrl }: { baseUrl: string | (() => string) }): void {
  if (typeof baseUrl === 'function') return;
  if (typeof baseUrl !== 'string') {
    throw new TaskerError(
      'handler_invalid',
      `handler ${String(name)}: the option baseUrl must be a string or a function`,
    );
  }
  if (baseUrl === '') return;
  try {
    httpUrl(baseUrl, 'baseUrl');
  } catch (cause) {
    throw new TaskerError('handler_invalid', `handler ${String(name)}: ${messageOf(cause)}`, { cause });
  }
}
