/** A W3C traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`. */
const FORM = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})$/;

/** The ids of a span, as in OpenTelemetry. */
export interface SpanIds {
  traceId: string;
  spanId: string;
  traceFlags: number;
}

/** The ids in a traceparent; undefined if the text is not valid. */
export function idsOf(traceparent: string): SpanIds | undefined {
  const match = FORM.exec(traceparent);
  return match ? { traceId: match[1]!, spanId: match[2]!, traceFlags: Number.parseInt(match[3]!, 16) } : undefined;
}

/** The traceparent of a span. */
export function traceparentOf({ traceId, spanId, traceFlags }: SpanIds): string {
  return `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`;
}
