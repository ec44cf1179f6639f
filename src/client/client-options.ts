import { InvalidRequestError } from './client-errors.ts';

/** A secret, or a function that returns the current secret. The function is called before each attempt. */
export type Secret = string | (() => string | undefined | Promise<string | undefined>);

/** Options of {@link createClient}. */
export interface ClientOptions {
  /**
   * Address of the server, with the path below which it is served, if any. Default: the origin of the page in a browser,
   * otherwise `http://127.0.0.1:8080`.
   */
  baseUrl?: string | URL | undefined;
  /** An API key, sent as `X-API-Key`. */
  apiKey?: Secret | undefined;
  /** A JSON Web Token, sent as `Authorization: Bearer`. The server prefers it to an API key. */
  token?: Secret | undefined;
  /** Additional headers for each request, such as headers that a proxy needs. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Whether a browser sends cookies. Default `same-origin`. Node has no cookies. */
  credentials?: 'omit' | 'same-origin' | 'include' | undefined;
  /** Milliseconds for one attempt, with its whole response. Default 30,000. */
  timeoutMs?: number | undefined;
  /** Milliseconds for a request with all its attempts. Default 60,000. */
  totalTimeoutMs?: number | undefined;
  /** Maximum number of attempts after the first. Only requests that are safe to repeat are repeated. Default 3. */
  maxRetries?: number | undefined;
  /** The function that sends requests. Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

/** The options of one call. */
export interface CallOptions {
  /** Ends the call, which then throws the reason of the signal. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for one attempt. Default: the value of the client. */
  timeoutMs?: number | undefined;
}

const DEFAULT_URL = 'http://127.0.0.1:8080';

/** Returns the address without a slash at its end. */
export function baseUrlOf(given: string | URL | undefined): string {
  const page = (globalThis as { location?: { origin?: string } }).location?.origin;
  const text = String(given ?? (page?.startsWith('http') ? page : DEFAULT_URL)).trim();
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const hidden = url && (url.username !== '' || url.password !== '');
  if (!url || !/^https?:$/.test(url.protocol) || hidden || url.search !== '' || url.hash !== '') {
    // A query may contain a token, and a mistyped address a password.
    const plain = text.split(/[?#]/, 1)[0]!;
    const shown = hidden || plain.includes('@') ? 'it' : plain;
    const why = hidden
      ? 'contains a user name or password; pass apiKey or token'
      : plain === text
        ? 'is not the address of a server'
        : 'has a query or a fragment; remove it, and use an address';
    throw new InvalidRequestError(`baseUrl: ${shown} ${why}, such as ${DEFAULT_URL} or https://tasker.example`, false, {
      code: 'INVALID_OPTION',
    });
  }
  return url.href.replace(/\/+$/, '');
}

/** Returns the current value of a secret. Its text is in no error message. */
export async function secretOf(name: string, given: Secret | undefined): Promise<string | undefined> {
  const text = (typeof given === 'function' ? await given() : given)?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new InvalidRequestError(`${name}: it contains a space or a character that a header cannot contain`, false, {
    code: 'INVALID_OPTION',
  });
}

/** Returns a number option, or the default. */
export function amountOf(
  name: string,
  given: number | undefined,
  { byDefault, min }: { byDefault: number; min: number },
) {
  if (given === undefined) return byDefault;
  // A timer with a longer delay would fire immediately.
  if (Number.isFinite(given) && given >= min) return Math.min(given, 2 ** 31 - 1);
  throw new InvalidRequestError(`${name}: ${given} must be a number of at least ${min}`, false, {
    code: 'INVALID_OPTION',
  });
}
