import { storableText } from '../failures/thrown.ts';
import { retryAfterSeconds } from '../retry-after.ts';
import { redactedHeaders } from './redaction.ts';
import { headersOf, isJsonType, statusOf } from './response-like.ts';

// `Symbol.for`, so that two copies of the package in one process recognize each other's responses.
const BRAND = Symbol.for('tasker-core.api-response');

const RETRYABLE: ReadonlySet<number> = new Set([408, 429, 500, 501, 502, 503, 504]);
const UNREADABLE_RETRY_AFTER_S = 60;
const SNIPPET = 200;

/** The content of an {@link ApiResponse}, in addition to the `Response` of `fetch`. */
export interface ApiResponseContent {
  /** The body, decompressed. */
  bytes?: Uint8Array;
  /** The body as text, if there are no bytes. */
  text?: string;
  /** The body as a JSON value, if it was received as one. Overrides `text`. */
  value?: unknown;
  /** The JSON parse error of the body, if already known. */
  jsonError?: string;
  /** The URL of the response, after redirects. */
  url?: string;
}

/**
 * The response of a server, with any status.
 *
 * @example
 * const response = await this.get('/users/7');
 * if (response.statusCode === 404) return this.success({ found: false });
 * return this.apiSuccess(response);
 */
export class ApiResponse {
  static {
    Object.defineProperty(ApiResponse.prototype, BRAND, { value: true });
  }

  readonly statusCode: number;
  /** Headers by lower-case name. Repeated headers are joined with a comma. */
  readonly headers: Record<string, string>;
  /** The parsed JSON value if the content type is JSON and the body is valid JSON, otherwise the text. */
  readonly body: unknown;
  /** The parse error of a body that should be JSON, with the beginning of the body. Null if there is none. */
  readonly jsonError: string | null;
  /** Seconds to wait, from the `Retry-After` header. 60 if the header is invalid, null if there is none. */
  readonly retryAfter: number | null;
  /** The response of `fetch`. Its body has been read, unless the request set `stream: true`. */
  readonly rawResponse: Response;
  /** The URL of the response, after redirects. Empty if the response was created by hand. */
  readonly url: string;
  readonly #bytes: Uint8Array | undefined;
  #text: string | undefined;

  /** Creates a response. `body` sets the body directly, for example in a test. */
  constructor(response: Response, body?: unknown, content: ApiResponseContent = {}) {
    const { bytes, text, value = body, jsonError, url } = content;
    this.rawResponse = response;
    this.statusCode = statusOf(response);
    this.headers = headersOf(response);
    this.url = url ?? (response as Partial<Response>).url ?? '';
    this.#bytes = bytes;
    this.#text = text;
    this.retryAfter = retryAfterIn(this.headers);
    const read = value === undefined ? this.#readBody() : { body: value, jsonError: null };
    this.body = read.body;
    this.jsonError = jsonError ?? read.jsonError;
  }

  /** Status 200 to 299. */
  get ok(): boolean {
    return this.statusCode >= 200 && this.statusCode < 300;
  }

  /** Status 400 to 499. */
  get isClientError(): boolean {
    return this.statusCode >= 400 && this.statusCode < 500;
  }

  /** Status 500 to 599. */
  get isServerError(): boolean {
    return this.statusCode >= 500 && this.statusCode < 600;
  }

  /** Whether the same request may succeed later: status 408, 429, or 500 to 504. */
  get isRetryable(): boolean {
    return RETRYABLE.has(this.statusCode);
  }

  /** The body as text, decoded with the charset of the content type. UTF-8 if there is none or it is unknown. */
  get text(): string {
    this.#text ??= this.#bytes
      ? decodedBody(this.#bytes, this.headers['content-type'])
      : typeof this.body === 'string'
        ? this.body
        : String(JSON.stringify(this.body) ?? '');
    return this.#text;
  }

  /** The raw body, decompressed, for example of an image. Empty for a stream. */
  get bytes(): Uint8Array {
    return this.#bytes ?? new TextEncoder().encode(this.text);
  }

  /**
   * Returns `{ status_code, headers, body }` in a form that can be stored: headers that may hold secrets are redacted.
   */
  toDict(): { status_code: number; headers: Record<string, string>; body: unknown } {
    return { status_code: this.statusCode, headers: redactedHeaders(this.headers), body: this.body };
  }

  /** Same as `toDict()`. */
  toJSON(): { status_code: number; headers: Record<string, string>; body: unknown } {
    return this.toDict();
  }

  #readBody(): { body: unknown; jsonError: string | null } {
    const { text } = this;
    if (text === '' || !isJsonType(this.headers['content-type'])) return { body: text, jsonError: null };
    try {
      return { body: JSON.parse(text), jsonError: null };
    } catch {
      return {
        body: text,
        jsonError: `the body is not JSON: it begins ${JSON.stringify(storableText(text, SNIPPET))}`,
      };
    }
  }
}

/**
 * Returns whether a value is an {@link ApiResponse}, from this or another copy of the package.
 *
 * @example
 * if (isApiResponse(value) && !value.ok) throw new Error(`status ${value.statusCode}`);
 */
export function isApiResponse(value: unknown): value is ApiResponse {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/**
 * Returns the delay of the `Retry-After` header. A date is relative to the response's own `Date`, the server's clock.
 */
function retryAfterIn(headers: Record<string, string>): number | null {
  const value = headers['retry-after'];
  if (value === undefined) return null;
  const sent = Date.parse(headers.date ?? '');
  return retryAfterSeconds(value, Number.isNaN(sent) ? Date.now() : sent) ?? UNREADABLE_RETRY_AFTER_S;
}

function decodedBody(bytes: Uint8Array, contentType = ''): string {
  const [, charset] = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType) ?? [];
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes); // for an unknown charset, UTF-8 is the most likely
  }
}
