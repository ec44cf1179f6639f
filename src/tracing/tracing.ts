import type * as Api from '@opentelemetry/api';
import type { Attributes, Span, SpanKind, TimeInput } from '@opentelemetry/api';
import { messageOf } from '../errors.ts';
import { idsOf, traceparentOf } from './traceparent.ts';

/** Options for starting a span. */
export interface SpanStart {
  kind?: keyof typeof SpanKind;
  attributes?: Attributes;
  /** The parent: a span, or the traceparent of another process. Default: the active span. Null for no parent. */
  parent?: string | Span | null | undefined;
  startTime?: TimeInput;
}

/** Options for ending a span. `error` marks it as failed. */
export interface SpanEnd {
  error?: { message: string; type?: string | undefined } | undefined;
  attributes?: Attributes;
}

/** The global key under which an OpenTelemetry SDK registers itself for every copy of the API. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/**
 * Returns the tracing of this process. Undefined if no OpenTelemetry SDK is registered at the time of the call. In that
 * case, the OpenTelemetry API is not loaded either.
 */
export async function openTracing(): Promise<Tracing | undefined> {
  const { trace } = (globalThis as { [REGISTERED]?: { trace?: unknown } })[REGISTERED] ?? {};
  return trace === undefined ? undefined : new Tracing(await import('@opentelemetry/api'));
}

/**
 * Creates spans with the SDK that the application registered. Errors of the SDK are suppressed, because a lost span
 * must not fail a step. Such errors are reported to OpenTelemetry's diagnostic logger.
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

  /** Whether a span is active in the current context. */
  get active(): boolean {
    return this.#api.trace.getActiveSpan() !== undefined;
  }

  /** Calls a function with a span of another process or thread as the active span. */
  runWithin<T>(traceparent: string | undefined, work: () => T): T {
    const ids = traceparent === undefined ? undefined : idsOf(traceparent);
    if (!ids) return work();
    const { context, trace } = this.#api;
    return context.with(trace.setSpanContext(context.active(), { ...ids, isRemote: true }), work);
  }

  /** Calls a function with a span as the active span. */
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
    this.#api.diag.error(`tasker-core: span lost: ${messageOf(error)}`);
  }

  /** The traceparent of a span, for other processes. Undefined if the span was lost. */
  traceparentOf(span: Span): string | undefined {
    const ids = span.spanContext();
    return this.#api.isSpanContextValid(ids) ? traceparentOf(ids) : undefined;
  }
}
