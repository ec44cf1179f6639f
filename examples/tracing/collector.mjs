// A stub collector and a minimal SDK, so that the example needs no other package. A real program registers the
// OpenTelemetry SDK (`@opentelemetry/sdk-node`) and exports to a real collector. The rest of the program stays the same.
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { context, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';

/** Starts a server that receives spans as JSON and stores them. */
export async function startCollector() {
  const spans = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    spans.push(...JSON.parse(text));
    response.writeHead(204).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    spans,
    url: `http://127.0.0.1:${server.address().port}/v1/traces`,
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}

/** Registers a tracer that exports to a collector. Returns functions that flush and unregister it. */
export function startTracing(url) {
  let ended = [];
  const provider = { getTracer: () => ({ startSpan: (...args) => startSpan(args, (span) => ended.push(span)) }) };
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new Contexts());
  return {
    async flush() {
      const body = JSON.stringify(ended);
      ended = [];
      await fetch(url, { method: 'POST', body });
    },
    stop() {
      trace.disable();
      context.disable();
    },
  };
}

function startSpan([name, { kind = 0, attributes = {} } = {}, parentContext = context.active()], onEnd) {
  const parent = trace.getSpanContext(parentContext);
  const traceId = parent?.traceId ?? randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  const data = { name, kind, traceId, spanId, parentSpanId: parent?.spanId ?? null, attributes: { ...attributes } };
  const span = {
    spanContext: () => ({ traceId, spanId, traceFlags: 1 }),
    setAttribute: (key, value) => Object.assign(data.attributes, { [key]: value }) && span,
    setAttributes: (more) => Object.assign(data.attributes, more) && span,
    setStatus: ({ code, message }) => {
      if (code === SpanStatusCode.ERROR) data.error = message;
      return span;
    },
    addEvent: () => span,
    addLink: () => span,
    addLinks: () => span,
    updateName: (next) => Object.assign(data, { name: next }) && span,
    recordException: () => {},
    isRecording: () => true,
    end: () => onEnd(data),
  };
  return span;
}

/** Tracks the active span across asynchronous calls. */
class Contexts {
  #storage = new AsyncLocalStorage();

  active() {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with(active, work, self, ...args) {
    return this.#storage.run(active, () => work.call(self, ...args));
  }

  bind(bound, target) {
    return typeof target === 'function' ? (...args) => this.with(bound, target, undefined, ...args) : target;
  }

  enable() {
    return this;
  }

  disable() {
    this.#storage.disable();
    return this;
  }
}
