import type * as Api from '@opentelemetry/api';
import type { Attributes, Span, SpanKind, TimeInput } from '@opentelemetry/api';
import { messageOf } from '../errors.ts';
import { idsOf, traceparentOf } from './traceparent.ts';

/** How a span begins. */
export interface SpanStart {
  kind?: keyof typeof SpanKind;
  attributes?: Attributes;
  /** A span of any process. Without it, the one that is active here is the parent. */
  parent?: string | Span | null | undefined;
  startTime?: TimeInput;
}

/** How a span ended: an error, or nothing to say. */
export interface SpanEnd {
  error?: { message: string; type?: string | undefined } | undefined;
  attributes?: Attributes;
}

/** Where an SDK of OpenTelemetry leaves itself for every copy of its interface. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/**
 * The tracing of this process; undefined as long as no SDK is registered, and then nothing is loaded for it. The SDK
 * counts that is registered when this is asked.
 */
export async function openTracing(): Promise<Tracing | undefined> {
  const { trace } = (globalThis as { [REGISTERED]?: { trace?: unknown } })[REGISTERED] ?? {};
  return trace === undefined ? undefined : new Tracing(await import('@opentelemetry/api'));
}

/**
 * Spans, by whatever SDK the application registered. What that throws gets nowhere: a span that is lost must cost no
 * step. It is told where OpenTelemetry tells such things.
 */
export class Tracing {
  readonly #api: typeof Api;

  constructor(api: typeof Api) {
    this.#api = api;
  }

  start(name: string, { kind = 'INTERNAL', parent, ...options }: SpanStart = {}): Span {
    const { INVALID_SPAN_CONTEXT, SpanKind, trace } = this.#api;
    try {
      return trace.getTracer('tasker-core').startSpan(name, { kind: SpanKind[kind], ...options }, this.#within(parent));
    } catch (error) {
      this.#lost(error);
      return trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
    }
  }

  #within(parent: SpanStart['parent']): Api.Context {
    const { context, ROOT_CONTEXT, trace } = this.#api;
    if (typeof parent === 'object' && parent !== null) return trace.setSpan(context.active(), parent);
    const ids = typeof parent === 'string' ? idsOf(parent) : undefined;
    if (ids) return trace.setSpanContext(ROOT_CONTEXT, { ...ids, isRemote: true });
    return parent === null ? ROOT_CONTEXT : context.active();
  }

  /** Whether a span is active here: then what happens here belongs to it. */
  get active(): boolean {
    return this.#api.trace.getActiveSpan() !== undefined;
  }

  /** Runs something while a span of another process or thread is the active one. */
  runWithin<T>(traceparent: string | undefined, work: () => T): T {
    const ids = traceparent === undefined ? undefined : idsOf(traceparent);
    if (!ids) return work();
    const { context, trace } = this.#api;
    return context.with(trace.setSpanContext(context.active(), { ...ids, isRemote: true }), work);
  }

  /** Runs something while a span is the active one. */
  run<T>(span: Span, work: () => T): T {
    const { context, trace } = this.#api;
    return context.with(trace.setSpan(context.active(), span), work);
  }

  end(span: Span, { error, attributes }: SpanEnd = {}): void {
    try {
      if (attributes) span.setAttributes(attributes);
      if (error) {
        span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: error.message });
        if (error.type !== undefined) span.setAttribute('error.type', error.type);
      }
      span.end();
    } catch (thrown) {
      this.#lost(thrown);
    }
  }

  #lost(error: unknown): void {
    this.#api.diag.error(`tasker-core: a span is lost: ${messageOf(error)}`);
  }

  /** How other processes know a span; undefined when it was lost. */
  traceparentOf(span: Span): string | undefined {
    const ids = span.spanContext();
    return this.#api.isSpanContextValid(ids) ? traceparentOf(ids) : undefined;
  }
}
