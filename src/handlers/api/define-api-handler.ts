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

/** What {@link defineApiHandler} is given besides the function. */
export interface ApiHandlerOptions<Inputs = InputSources, Depends = DependencySources>
  extends HandlerOptions<Inputs, Depends> {
  /** What paths are put behind. A function is asked at each run: for an address that the environment gives. */
  baseUrl: string | (() => string);
  /** Milliseconds for a request, 0 for none; default 30,000. */
  defaultTimeout?: number;
  /** Sent with each request. A function is asked at each run: for a token that changes. */
  defaultHeaders?: Headers | (() => Headers);
  /** How many bytes an answer may have, unpacked; default 10 MiB. */
  maxResponseBytes?: number;
  /** What requests are sent with instead of the platform's `fetch`. */
  httpClient?: Pick<HttpClient, 'fetch'>;
}

/** What a `defineApiHandler` function is called with: the arguments of `defineHandler`, and `api`. */
export type ApiHandlerArgs<Inputs = None, Depends = None> = HandlerArgs<Inputs, Depends> & {
  /** Sends requests that end with the step. */
  readonly api: APICapable;
};

const MORE_OPTIONS = ['baseUrl', 'defaultTimeout', 'defaultHeaders', 'maxResponseBytes', 'httpClient'];

/**
 * A handler that calls an HTTP service, from a function: `defineHandler` with `api` besides. An answer that it returns
 * becomes the step's result as with `api.apiSuccess`: a success, or the failure that its status means. For unit tests,
 * the class has the statics of an {@link ApiHandler} class, and its instances have the methods.
 *
 * Throws `handler_invalid` when name or options make no sense.
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
  refuseNonsense(name, options);
  const defined = handlerOfFunction({
    name,
    options,
    fn,
    moreOptions: MORE_OPTIONS,
    moreArguments: {
      api: reader('api', (context) => belongsTo(new defined(), context)),
    },
    capabilities: ['process', 'http', 'api'],
  }) as DefinedApiHandler;
  giveApi(defined, options);
  return defined;
}

type DefinedApiHandler = (new () => ExecutableHandler & APICapable) & StepHandlerClass & ApiDefaults;

/** What the options say of requests. */
type RequestSettings = Omit<ApiHandlerOptions, keyof HandlerOptions<never, never>>;

/** Gives a defined class the statics and methods of an API handler. Its function gets an instance made for its step. */
function giveApi(defined: DefinedApiHandler, settings: RequestSettings): void {
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
  // Names only: the mixin's symbol would give each step an async context that no function here needs.
  const members = Object.fromEntries(Object.entries(Object.getOwnPropertyDescriptors(APIMixin.prototype)));
  const { get: clientOf, set } = members.httpClient!;
  function clientWithFetch(this: object): HttpClient {
    return { ...(clientOf!.call(this) as HttpClient), fetch: (url, init) => given!.fetch(url, init) };
  }
  giveMembers(defined.prototype, { ...members, httpClient: { get: given ? clientWithFetch : clientOf, set } });
}

/** A base URL that is none is said here, and not when a step runs. */
function refuseNonsense(name: string, { baseUrl }: { baseUrl: string | (() => string) }): void {
  if (typeof baseUrl === 'function') return;
  if (typeof baseUrl !== 'string') {
    throw new TaskerError(
      'handler_invalid',
      `handler ${String(name)}: its option baseUrl must be a text or a function`,
    );
  }
  if (baseUrl === '') return;
  try {
    httpUrl(baseUrl, 'baseUrl');
  } catch (cause) {
    throw new TaskerError('handler_invalid', `handler ${String(name)}: ${messageOf(cause)}`, { cause });
  }
}
