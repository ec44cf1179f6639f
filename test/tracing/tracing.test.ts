import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, diag, type Tracer, trace } from '@opentelemetry/api';
import { describe, expect, it, onTestFinished } from 'vitest';
import { defineApiHandler, defineHandler, PermanentError, type StepContext } from '../../src/index.ts';
import { setupBridge } from '../support/bridge.ts';
import { deferred, RETRY_AT_ONCE } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';
import { type ReadableSpan, startSpans } from '../support/spans.ts';
import { threadHandlers } from '../support/thread-handlers.ts';

const shared = sharedDatabase();
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function tracing(): ReadableSpan[] {
  const { spans, stop } = startSpans();
  onTestFinished(stop);
  return spans;
}

async function service(): Promise<{ url: string; headers: IncomingHttpHeaders[] }> {
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    headers.push(request.headers);
    response.writeHead(request.url === '/broken' ? 503 : 200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, headers };
}

const named = (spans: readonly ReadableSpan[], name: string) => spans.filter((span) => span.name === name);

describe('with an SDK registered', () => {
  it('a task is one trace, from the span of its caller to the request of a handler', async () => {
    const spans = tracing();
    const { url, headers } = await service();
    const call = defineApiHandler('call', { baseUrl: url }, ({ api }) => api.get('/paid'));
    const { tasker, demo } = await shared.setup({ call: [] }, { handlers: [call] });
    const asked = trace.getTracer('shop').startSpan('POST /orders');
    const { taskUuid } = await context.with(trace.setSpan(context.active(), asked), () => tasker.createTask(demo));
    asked.end();
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await tasker.stop();

    const chain = ['POST /orders', `task ${demo.namespace}/demo`, 'step call', 'attempt call', 'GET'];
    const found = chain.map((name) => named(spans, name)[0]!);
    expect(found.map(({ parentSpanId }) => parentSpanId)).toEqual([
      undefined,
      ...found.slice(0, -1).map((s) => s.spanId),
    ]);
    expect(new Set(found.map(({ traceId }) => traceId)).size).toBe(1);
    expect(headers[0]!.traceparent).toBe(`00-${found[4]!.traceId}-${found[4]!.spanId}-01`);
    expect(found[1]!.attributes).toMatchObject({ 'tasker.task_uuid': taskUuid });
    expect(found[3]!.attributes).toMatchObject({
      'tasker.task_uuid': taskUuid,
      'tasker.correlation_id': taskUuid,
      'tasker.step': 'call',
      'tasker.attempt': 1,
      'tasker.handler': 'call',
      'tasker.outcome': 'completed',
    });
    expect(found[4]!.attributes).toMatchObject({ 'http.request.method': 'GET', 'http.response.status_code': 200 });
    expect(spans.every(({ ended }) => ended)).toBe(true);
  });

  it('the span of an attempt is active only in its handler, even after an await', async () => {
    const spans = tracing();
    const own = defineHandler('own', {}, async ({ context: step }) => {
      await new Promise((resolve) => setImmediate(resolve));
      const span = trace.getTracer('shop').startSpan('pack');
      span.end();
      return { seen: step.traceparent };
    });
    const next = defineHandler('next', {}, () => ({}));
    const { tasker, demo } = await shared.setup({ own: [], next: ['own'] }, { handlers: [own, next] });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    const { results } = await tasker.getStep(taskUuid, 'own');
    await tasker.stop();
    const [attempt] = named(spans, 'attempt own');
    expect(named(spans, 'pack')[0]!.parentSpanId).toBe(attempt!.spanId);
    expect(results?.result).toEqual({ seen: `00-${attempt!.traceId}-${attempt!.spanId}-01` });
    const [task] = named(spans, `task ${demo.namespace}/demo`);
    expect(named(spans, 'step next')[0]!.parentSpanId).toBe(task!.spanId);
    expect(trace.getActiveSpan()).toBeUndefined();
  });

  it('the span of an attempt is active in a handler that a subscriber runs', async () => {
    const spans = tracing();
    const a = defineHandler('a', {}, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      trace.getTracer('shop').startSpan('pack').end();
    });
    const { run } = await setupBridge(shared, { a: [] }, { handlers: { a } });
    await run();
    expect(named(spans, 'pack')[0]!.parentSpanId).toBe(named(spans, 'attempt a')[0]!.spanId);
  });

  it('the span of an attempt is active in a handler in a thread with its own SDK', async () => {
    const spans = tracing();
    const { tasker, demo } = await shared.setup(
      { traced: { handler: { callable: 'traced', isolation: 'thread' } } },
      { handlers: threadHandlers(), threads: 1 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    const { traceId, spanId } = named(spans, 'attempt traced')[0]!;
    expect((await tasker.getStep(taskUuid, 'traced')).results?.result).toEqual({ traceId, spanId });
  });

  it('each attempt has a span with its outcome', async () => {
    const spans = tracing();
    let calls = 0;
    const flaky = defineHandler('flaky', {}, () => {
      if (++calls === 1) throw new Error('the bank is closed');
      throw new PermanentError('no such account');
    });
    const { tasker, demo } = await shared.setup({ flaky: { retry: RETRY_AT_ONCE } }, { handlers: [flaky] });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await tasker.stop();
    const attempts = named(spans, 'attempt flaky');
    expect(attempts.map(({ attributes, error }) => [attributes['tasker.attempt'], error])).toEqual([
      [1, 'the bank is closed'],
      [2, 'no such account'],
    ]);
    expect(named(spans, 'step flaky').map(({ ended }) => ended)).toEqual([true, true]);
  });

  it('the spans of an abandoned handler are ended', async () => {
    const spans = tracing();
    const settled = deferred();
    const slow = defineHandler('slow', {}, () => settled.promise);
    const { tasker, demo } = await shared.setup(
      { slow: { timeout_seconds: 1, retry: { retryable: false } } },
      { handlers: [slow] },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await expect.poll(() => named(spans, 'step slow')[0]?.ended).toBe(true);
    expect(named(spans, 'attempt slow')[0]).toMatchObject({
      ended: true,
      error: expect.stringContaining('did not finish within'),
    });
    settled.resolve();
  });

  it('a tracer that throws neither fails a step nor loses a result, and is reported to the diagnostics of OpenTelemetry', async () => {
    tracing();
    const messages: string[] = [];
    const note = (message: string) => void messages.push(message);
    diag.setLogger({ error: note, warn: note, info: () => {}, debug: () => {}, verbose: () => {} });
    onTestFinished(() => diag.disable());
    const broken = () => {
      throw new Error('the exporter is gone');
    };
    const whole = trace.getTracer('whole');
    let spans = 0;
    const startSpan: Tracer['startSpan'] = (...given) =>
      ++spans % 2 === 0 ? broken() : Object.assign(whole.startSpan(...given), { end: broken, setAttributes: broken });
    trace.disable();
    trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) as Tracer });
    const handlers = ['a', 'b', 'c'].map((name) => defineHandler(name, {}, () => ({ name })));
    const { tasker, demo } = await shared.setup({ a: [], b: ['a'], c: ['b'] }, { handlers });
    const { taskUuid } = await tasker.createTask(demo);
    expect(await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).toMatchObject({ status: 'complete' });
    expect(tasker.stats).toMatchObject({ processed: 3, refused: 0 });
    await tasker.stop();
    expect(new Set(messages)).toEqual(new Set(['tasker-core: span lost: the exporter is gone']));
  });

  it('a task that could not be created has an error in its span', async () => {
    const spans = tracing();
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    await expect(tasker.createTask({ ...demo, version: '9.9.9' })).rejects.toMatchObject({
      code: 'template_not_found',
    });
    expect(named(spans, `task ${demo.namespace}/demo`)[0]).toMatchObject({ ended: true, error: expect.any(String) });
  });
});

describe('without an SDK', () => {
  it('the traceparent of a task reaches its handlers, their events and their requests', async () => {
    const { url, headers } = await service();
    const seen: StepContext[] = [];
    const call = defineApiHandler('call', { baseUrl: url }, async ({ api, context: step }) => {
      seen.push(step);
      await api.get('/own', { headers: { traceparent: 'mine' } });
      return api.get('/paid');
    });
    const { tasker, demo } = await shared.setup({ call: [] }, { handlers: [call] });
    const { taskUuid } = await tasker.createTask({ ...demo, traceparent: TRACEPARENT });
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect(headers.map(({ traceparent }) => traceparent)).toEqual(['mine', TRACEPARENT]);
    expect(seen[0]!.traceparent).toBe(TRACEPARENT);
    expect(seen[0]!.event).toMatchObject({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' });
  });

  it('without a traceparent, handlers and services receive none', async () => {
    const { url, headers } = await service();
    const call = defineApiHandler('call', { baseUrl: url }, async ({ api, context: step }) => {
      await api.get('/paid');
      return { seen: step.traceparent ?? null };
    });
    const { tasker, demo } = await shared.setup({ call: [] }, { handlers: [call] });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect(headers[0]).not.toHaveProperty('traceparent');
    expect((await tasker.getStep(taskUuid, 'call')).results?.result).toEqual({ seen: null });
  });

  it('an invalid traceparent is rejected', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    await expect(tasker.createTask({ ...demo, traceparent: 'abc' })).rejects.toThrow(
      /traceparent .*abc.* is not a W3C/,
    );
  });
});
