import type { StandardSchemaV1 } from '@standard-schema/spec';
import { messageOf, TaskerError } from '../../errors.ts';
import type { DependencySources, HandlerArguments, InputSources } from '../handler-arguments.ts';
import { type HandlerOptions, handlerOfFunction } from '../handler-of-function.ts';
import { belongsTo } from '../running-step.ts';
import type { StepContext } from '../step-context.ts';
import type { ExecutableHandler, StepHandlerClass } from '../step-handler.ts';
import { type APICapable, APIMixin, type ApiDefaults } from './api-mixin.ts';
import { DEFAULT_MAX_RESPONSE_BYTES, DEFAULT_TIMEOUT, type HttpClient, platformFetch } from './http-client.ts';
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
export type ApiHandlerArgs<Inputs = Record<never, never>, Depends = Record<never, never>> = HandlerArguments<
  Inputs,
  Depends
> & {
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
export function defineApiHandler<
  const Inputs extends InputSources | StandardSchemaV1<unknown, object> = Record<never, never>,
  const Depends extends DependencySources = Record<never, never>,
>(
  name: string,
  options: ApiHandlerOptions<Inputs, Depends>,
  fn: (args: ApiHandlerArgs<Inputs, Depends>) => unknown,
): DefinedApiHandler {
  refuseNonsense(name, options);
  const defined = handlerOfFunction({
    name,
    options,
    fn: fn as (args: never) => unknown,
    moreOptions: MORE_OPTIONS,
    moreArguments: {
      api: (context, into) => {
        into.api = new StepApi(options, context);
        return undefined;
      },
    },
    capabilities: ['process', 'http', 'api'],
  });
  return withApi(defined, options);
}

type DefinedApiHandler = (new () => ExecutableHandler & APICapable) & StepHandlerClass & ApiDefaults;

/** What the options say of requests. */
type RequestSettings = Omit<ApiHandlerOptions, keyof HandlerOptions<never, never>>;

/**
 * Gives a defined class the statics and the methods of an API handler. Its function uses the `api` of its step instead,
 * because one instance serves all steps.
 */
function withApi(defined: StepHandlerClass, settings: RequestSettings): DefinedApiHandler {
  const statics = new StepApi(settings);
  Object.defineProperties(defined, {
    baseUrl: { get: () => statics.baseUrl, enumerable: true, configurable: true },
    defaultTimeout: { get: () => statics.timeout, enumerable: true, configurable: true },
    defaultHeaders: { get: () => statics.defaultHeaders, enumerable: true, configurable: true },
    maxResponseBytes: { get: () => statics.maxResponseBytes, enumerable: true, configurable: true },
  });
  // Names only: the mixin's symbol would give each step an async context that no function here needs.
  for (const name of Object.getOwnPropertyNames(APIMixin.prototype)) {
    if (name === 'constructor' || name === 'capabilities') continue;
    const member = Object.getOwnPropertyDescriptor(APIMixin.prototype, name)!;
    if (name === 'httpClient') {
      member.get = function (this: APICapable) {
        return clientOf(this, settings);
      };
    }
    Object.defineProperty(defined.prototype, name, member);
  }
  return defined as unknown as DefinedApiHandler;
}

function clientOf(api: APICapable, { httpClient: given }: RequestSettings): HttpClient {
  const { baseUrl, timeout, defaultHeaders } = api;
  return { fetch: given ? (url, init) => given.fetch(url, init) : platformFetch, baseUrl, timeout, defaultHeaders };
}

/** The `api` of one run, or of a class. */
class StepApi extends APIMixin {
  readonly #settings: RequestSettings;

  constructor(settings: RequestSettings, context?: StepContext) {
    super();
    this.#settings = settings;
    if (context) belongsTo(this, context);
  }

  override get baseUrl(): string {
    const { baseUrl } = this.#settings;
    return typeof baseUrl === 'function' ? baseUrl() : baseUrl;
  }

  override get timeout(): number {
    return this.#settings.defaultTimeout ?? DEFAULT_TIMEOUT;
  }

  override get defaultHeaders(): Headers {
    const { defaultHeaders = {} } = this.#settings;
    return typeof defaultHeaders === 'function' ? defaultHeaders() : defaultHeaders;
  }

  override get maxResponseBytes(): number {
    return this.#settings.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
  }

  override get httpClient(): HttpClient {
    return clientOf(this, this.#settings);
  }
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
