import type { StepExecutionError } from '../failures/handler-errors.ts';
import { NetworkError, StepTimeoutError } from '../failures/retryable-errors.ts';
import { classNameOf, messageOfThrown, read } from '../failures/thrown.ts';
import { invalidRequest } from './invalid-request.ts';
import { redactedUrl } from './redaction.ts';

/** The request that failed, for the message. */
interface Failed {
  method: string;
  url: URL;
  timeoutMs: number;
  timedOut: boolean;
}

/** Waiting that `fetch` itself gave up. */
const GAVE_UP = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);

/**
 * What a request that got no answer comes to: `timeout` or `connection_error`, both worth another attempt. What `fetch`
 * refuses to send at all is an `invalid_request`, which is not.
 */
export function requestError(thrown: unknown, { method, url, timeoutMs, timedOut }: Failed): StepExecutionError {
  const what = `${method} ${redactedUrl(url.href)}`;
  const { code, text } = rootOf(thrown);
  const metadata = { method, url: redactedUrl(url.href), exception_type: classNameOf(thrown), ...(code && { code }) };
  if (timedOut) {
    return new StepTimeoutError(`${what}: no answer within ${timeoutMs} ms`, {
      metadata: { ...metadata, timeout_ms: timeoutMs },
    });
  }
  if (code !== undefined && GAVE_UP.has(code)) {
    return new StepTimeoutError(`${what}: ${text}`, { metadata, cause: thrown });
  }
  if (code === undefined && thrown instanceof TypeError && read(thrown, 'cause') === undefined) {
    return invalidRequest(`${what}: it cannot be sent: ${text}`, metadata);
  }
  return new NetworkError(`${what}: the connection failed: ${text}`, { metadata, cause: thrown });
}

/** `fetch failed` says nothing; what failed is the cause of it, or the cause of that. */
function rootOf(thrown: unknown): { code: string | undefined; text: string } {
  let root = thrown;
  for (let depth = 0; depth < 5; depth++) {
    const cause = read(root, 'cause');
    if (cause === undefined || cause === null) break;
    root = cause;
  }
  const code = read(root, 'code');
  return { code: typeof code === 'string' ? code : undefined, text: messageOfThrown(root) };
}
