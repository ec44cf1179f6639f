/** What an API handler sends its requests with. */
export interface HttpClient {
  /** As the platform's `fetch`: takes redirects with `redirect: 'manual'`, rejects when there is no answer. */
  fetch(url: URL, init: RequestInit): Promise<Response>;
  readonly baseUrl: string;
  /** Milliseconds; 0: none. */
  readonly timeout: number;
  readonly defaultHeaders: Readonly<Record<string, string>>;
}

/** Milliseconds. */
export const DEFAULT_TIMEOUT = 30_000;
export const DEFAULT_MAX_RESPONSE_BYTES = 10 * 1024 * 1024;
export const DEFAULT_MAX_REDIRECTS = 5;

/**
 * The platform's `fetch`, looked up at each call so that a mock takes effect. Called with a string, as mocks expect.
 */
export function platformFetch(url: URL, init: RequestInit): Promise<Response> {
  return globalThis.fetch(url.href, init);
}
