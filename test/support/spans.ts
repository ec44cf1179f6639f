import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import {
  type Attributes,
  type Context,
  type ContextManager,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';

/** A span as it was reported. */
export interface ReadableSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  attributes: Attributes;
  error?: string;
  ended: boolean;
}

/** Registers a minimal SDK, which keeps all spans in the order in which they start. */
export function startSpans(): { spans: ReadableSpan[]; stop(): void } {
  const spans: ReadableSpan[] = [];
  const startSpan: Tracer['startSpan'] = (name, { attributes = {} } = {}, within = context.active()) => {
    const parent = trace.getSpanContext(within);
    const traceId = parent?.traceId ?? randomBytes(16).toString('hex');
    const kept: ReadableSpan = {
      name,
      traceId,
      spanId: randomBytes(8).toString('hex'),
      parentSpanId: parent?.spanId,
      attributes: { ...attributes },
      ended: false,
    };
    spans.push(kept);
    return spanOf(kept);
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) as Tracer });
  context.setGlobalContextManager(contexts());
  return {
    spans,
    stop: () => {
      trace.disable();
      context.disable();
    },
  };
}

function spanOf(kept: ReadableSpan): Span {
  const span: Span = {
    spanContext: () => ({ traceId: kept.traceId, spanId: kept.spanId, traceFlags: 1 }),
    setAttribute: (key, value) => span.setAttributes({ [key]: value }),
    setAttributes: (more) => {
      Object.assign(kept.attributes, more);
      return span;
    },
    setStatus: ({ code, message }) => {
      if (code === SpanStatusCode.ERROR) kept.error = message ?? '';
      return span;
    },
    addEvent: () => span,
    addLink: () => span,
    addLinks: () => span,
    updateName: () => span,
    recordException: () => {},
    isRecording: () => !kept.ended,
    end: () => {
      if (kept.ended) throw new Error(`the span ${kept.name} was ended twice`);
      kept.ended = true;
    },
  };
  return span;
}

function contexts(): ContextManager {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, work, self, ...args) => storage.run(active, () => work.call(self, ...args)),
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => {
      storage.disable();
      return manager;
    },
  };
  return manager;
}
