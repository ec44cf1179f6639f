// Creates a task within a span, runs it, and prints the trace that the collector received.
import { createServer } from 'node:http';
import { context, trace } from '@opentelemetry/api';
import { createTasker, defineApiHandler, defineHandler, mustParseTemplate } from 'tasker-core';
import { startCollector, startTracing } from './collector.mjs';

// A service that a step calls. It stores the span of the call.
let received;
const bank = createServer((request, response) => {
  received = request.headers.traceparent;
  response.setHeader('content-type', 'application/json').end('{"paid":true}');
});
await new Promise((resolve) => bank.listen(0, '127.0.0.1', resolve));

const template = mustParseTemplate(`
name: order
namespace: shop
version: 1.0.0
steps:
  - { name: reserve, handler: reserve }
  - { name: charge, handler: charge, dependencies: [reserve] }
`);
const reserve = defineHandler('reserve', {}, () => ({ reserved: true }));
const charge = defineApiHandler('charge', { baseUrl: `http://127.0.0.1:${bank.address().port}` }, ({ api }) =>
  api.post('/charges', { json: { amount: 12 } }),
);

const collector = await startCollector();
const tracing = startTracing(collector.url); // before createTasker, which checks for an SDK
const tasker = await createTasker({ templates: [template], handlers: [reserve, charge] });

const span = trace.getTracer('shop').startSpan('POST /orders');
const { taskUuid } = await context.with(trace.setSpan(context.active(), span), () =>
  tasker.createTask({ namespace: 'shop', name: 'order', context: { order_id: 'O-7' } }),
);
span.end();
const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
await tasker.stop();
await tracing.flush();
tracing.stop();

/** Prints a span and its children, indented. */
function print(parentSpanId, indent) {
  for (const span of collector.spans.filter((one) => one.parentSpanId === parentSpanId)) {
    const { 'tasker.attempt': attempt, 'http.response.status_code': http } = span.attributes;
    console.log(`${indent}${span.name}${attempt ? ` (${attempt})` : ''}${http ? ` -> ${http}` : ''}`);
    print(span.spanId, `${indent}  `);
  }
}

console.log(`task ${status}; traces: ${new Set(collector.spans.map((span) => span.traceId)).size}`);
print(null, '');
const call = collector.spans.find((span) => span.name === 'POST');
console.log(`the service received the span of the call: ${received === `00-${call.traceId}-${call.spanId}-01`}`);
await Promise.all([collector.stop(), new Promise((resolve) => bank.close(resolve))]);
