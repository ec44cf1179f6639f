import { openTracing } from '../../tracing/tracing.ts';
import type { StepContext } from '../step-context.ts';
import { redactedUrl } from './redaction.ts';
import { statusOf } from './response-like.ts';
import { type Answer, type PreparedRequest, sendRequest } from './send-request.ts';

/**
 * Sends a request within a span of its own, if an SDK is registered, and tells the server which span it belongs to:
 * that one, or the step's. A `traceparent` among the request's own headers is left as it is.
 */
export async function tracedRequest(request: PreparedRequest, step: StepContext | undefined): Promise<Answer> {
  const { method, url, headers } = request;
  const own = headers.has('traceparent');
  const tracing = await openTracing();
  if (!tracing) {
    if (!own && step?.traceparent !== undefined) headers.set('traceparent', step.traceparent);
    return sendRequest(request);
  }
  const span = tracing.start(method, {
    kind: 'CLIENT',
    parent: tracing.active ? undefined : step?.traceparent,
    attributes: {
      'http.request.method': method,
      'server.address': url.hostname,
      'url.full': redactedUrl(url.href),
    },
  });
  const traceparent = tracing.traceparentOf(span) ?? step?.traceparent;
  if (!own && traceparent !== undefined) headers.set('traceparent', traceparent);
  try {
    const answer = await sendRequest(request);
    const status = statusOf(answer.response);
    const error = status >= 400 ? { message: `HTTP ${status}`, type: String(status) } : undefined;
    tracing.end(span, { error, attributes: { 'http.response.status_code': status } });
    return answer;
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    tracing.end(span, { error: { message, type: thrown instanceof Error ? thrown.name : undefined } });
    throw thrown;
  }
}
