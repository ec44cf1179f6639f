import { storableText } from '../failures/thrown.ts';
import { retryAfterSeconds } from '../retry-after.ts';
import { redactedHeaders } from './redaction.ts';
import { headersOf, isJsonType, statusOf } from './response-like.ts';

// `Symbol.for`, so that two copies of the package in one process know each other's answers.
const BRAND = Symbol.for('tasker-core.api-response');

const RETRYABLE: ReadonlySet<number> = new Set([408, 429, 500, 501, 502, 503, 504]);
const UNREADABLE_RETRY_AFTER_S = 60;
const SNIPPET = 200;

/** What an {@link ApiResponse} has besides the `Response` of `fetch`. */
export interface ApiResponseContent {
  /** The body, unpacked. */
  bytes?: Uint8Array;
  /** The body as text, if there are no bytes. */
  text?: string;
  /** The body as a JSON value, if it came as one. Overrides `text`. */
  value?: unknown;
  /** The error in the body, if it is already known. */
  jsonError?: string;
  /** Where it came from, after redirects. */
  url?: string;
}

/**
 * The answer of a server, whatever its status.
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
  /** By lower-case name; of a name that came several times, the values with a comma between. */
  readonly headers: Record<string, string>;
  /** The JSON value, when the content type says JSON and the body is JSON; else the text. */
  readonly body: unknown;
  /** What is wrong with a body that should be JSON and is not, with how it begins; null when nothing is. */
  readonly jsonError: string | null;
  /** Seconds to wait, as the header `Retry-After` says in seconds or as a date; unreadable: 60; absent: null. */
  readonly retryAfter: number | null;
  /** The answer of `fetch`. Its body has been read, unless the request said `stream: true`. */
  readonly rawResponse: Response;
  /** Where the answer came from, after redirects; empty when made by hand. */
  readonly url: string;
  readonly #bytes: Uint8Array | undefined;
  #text: string | undefined;

  /** `body` replaces what the content says: in a test, say. */
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

  /** Whether the same request may be answered otherwise later: 408, 429, 500 to 504. */
  get isRetryable(): boolean {
    return RETRYABLE.has(this.statusCode);
  }

  /** The body as text, by the charset of its content type (UTF-8 when it names none, or an unknown one). */
  get text(): string {
    this.#text ??= this.#bytes
      ? decodedBody(this.#bytes, this.headers['content-type'])
      : typeof this.body === 'string'
        ? this.body
        : String(JSON.stringify(this.body) ?? '');
    return this.#text;
  }

  /** The body as it came, unpacked: of an image, say. Empty when it was left as a stream. */
  get bytes(): Uint8Array {
    return this.#bytes ?? new TextEncoder().encode(this.text);
  }

  /** `{status_code, headers, body}`, fit to be stored: headers that may hold a secret are hidden. */
  toDict(): { status_code: number; headers: Record<string, string>; body: unknown } {
    return { status_code: this.statusCode, headers: redactedHeaders(this.headers), body: this.body };
  }

  /** The same as `toDict()`. */
  toJSON(): { status_code: number; headers: Record<string, string>; body: unknown } {
    return this.toDict();
  }

  #readBody(): { body: unknown; jsonError: string | null } {
    const { text } = this;
    if (text === '' || !isJsonType(this.headers['content-type'])) return { body: text, jsonError: null };
    try {
      return { body: JSON.parse(text), jsonError: null };
    } catch {
      return { body: text, jsonError: `the body is no JSON: it begins ${JSON.stringify(storableText(text, SNIPPET))}` };
    }
  }
}

/**
 * Whether a value is an {@link ApiResponse}, of this copy of the package or of another.
 *
 * @example
 * if (isApiResponse(value) && !value.ok) throw new Error(`status ${value.statusCode}`);
 */
export function isApiResponse(value: unknown): value is ApiResponse {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** A date is meant by the server's clock: so it is counted from the `Date` of the same answer, when there is one. */
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
    return new TextDecoder().decode(bytes); // a charset that nobody knows: then UTF-8, the likeliest
  }
}
