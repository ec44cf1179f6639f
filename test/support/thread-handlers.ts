// Handlers that tests run in threads, in a folder of a project in which the package is installed.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

const HANDLERS = `
import { AsyncLocalStorage } from 'node:async_hooks';
import { isMainThread, threadId } from 'node:worker_threads';
import { type Context, type ContextManager, context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { completeLater, defineHandler, notYet, StepHandler, StepHandlerResult, type StepContext, untilTasksEnd } from 'tasker-core';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const where = { isMainThread, threadId };

export const describes = defineHandler('describes', { inputs: { n: 'n' } }, ({ n, context }) => ({
  n,
  isMainThread,
  config: context.stepConfig,
  before: context.getDependencyResult('before'),
  names: context.getDependencyResultKeys(),
  attempt: context.attempt,
  maxRetries: context.maxRetries,
  taskUuid: context.taskUuid,
  correlationId: context.correlationId,
  step: context.event.workflowStep.name,
}));

export const tells_undo = defineHandler('tells_undo', {}, ({ context }) => ({ undo: context.undo, isMainThread }));

// A minimal SDK, registered in this thread, whose contexts are kept across awaits.
const contexts = new AsyncLocalStorage<Context>();
const manager: ContextManager = {
  active: () => contexts.getStore() ?? ROOT_CONTEXT,
  with: (active, work, self, ...args) => contexts.run(active, () => work.call(self, ...args)),
  bind: (_context, target) => target,
  enable: () => manager,
  disable: () => manager,
};

export const traced = defineHandler('traced', {}, async () => {
  await pause(1);
  const { traceId, spanId } = trace.getActiveSpan()!.spanContext();
  return { traceId, spanId };
});

if (!isMainThread) {
  context.setGlobalContextManager(manager);
  trace.setGlobalTracerProvider({ getTracer: () => { throw new Error('no span should start in this thread'); } });
}

export const logsAndFails = defineHandler('logs_and_fails', {}, ({ context }) => {
  context.logger.info({ part: 1 }, 'from a thread');
  throw new Error('no more');
});
export const countsRuns = defineHandler('counts_runs', {}, ({ context }) => ({
  rerun: context.rerun,
  event: context.event.workflowStep.rerun,
  isMainThread,
}));

export const fansOut = defineHandler('fans_out', {}, async ({ context }) => {
  const name = String(context.getInput('child'));
  const start = (key: string) => context.startTask(name, { n: key }, { key });
  return untilTasksEnd(await Promise.all(['a', 'b'].map(start)));
});

export const spins = defineHandler('spins', {}, () => {
  for (;;);
});

export const exits = defineHandler('exits', {}, ({ context }) => {
  if (!context.isRetry()) process.exit(3);
  return where;
});

export const throwsLater = defineHandler('throws_later', {}, () => {
  setTimeout(() => {
    throw new Error('uncaught on purpose');
  }, 1);
  return new Promise(() => {});
});

export const grows = defineHandler('grows', {}, () => {
  const all: unknown[] = [];
  for (;;) all.push(new Array(10_000).fill({ some: 'thing' }).map((one) => ({ ...one })));
});

export const sleeps = defineHandler('sleeps', {}, async ({ context }) => {
  await pause(Number(context.getInput('ms') ?? 5));
  return where;
});

export const big = defineHandler('big', {}, () => ({ total: 7n }));

export const failsOddly = defineHandler('fails_oddly', {}, () => {
  const unsendable = Object.assign(Object.create({ isAClass: true }) as object, { call: () => 1 });
  return new StepHandlerResult({
    success: false,
    errorMessage: JSON.parse('"half a pair \\ud83d"') as string,
    statusCode: Symbol('503') as unknown as number,
    orchestrationMetadata: { custom: { unsendable } },
  });
});

export const listens = defineHandler('listens', {}, async ({ context, signal, logger }) => {
  logger.info({ odd: () => 'a function' }, 'handler started');
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  logger.warn({ reason: String(signal.reason) }, 'signal received');
  return {};
});

export const saves = defineHandler('saves', {}, async ({ context }) => {
  if (context.isRetry()) return { cursor: context.checkpointCursor, items: context.checkpointItemsProcessed };
  await context.checkpoint({ cursor: 40, itemsProcessed: 4 });
  if (context.checkpointCursor !== 40) throw new Error('the saved checkpoint is not visible');
  throw new Error('again');
});

export const keeps = defineHandler('keeps', {}, async ({ context }) => {
  await context.checkpoint({ cursor: 7, itemsProcessed: 1 });
  return StepHandlerResult.success({ cursor: context.checkpointCursor, retry: context.isRetry() }, { region: 'eu' });
});

export const polls = defineHandler('polls', {}, ({ context }) => {
  const calls = Number(context.checkpointCursor ?? 0) + 1;
  return calls < 3 ? notYet({ retryInMs: 10, checkpoint: calls }) : { calls, isMainThread };
});

export const awaits = defineHandler('awaits', {}, async ({ context }) => {
  const token = await context.completionToken();
  if (token !== (await context.completionToken())) throw new Error('two tokens');
  return completeLater({ metadata: { token, isMainThread } });
});

export const transacts = defineHandler('transacts', {}, ({ context }) => context.transaction(() => 1));

export const makesLarge = defineHandler('makes_large', {}, () => ({ text: 'x'.repeat(5_000_000) }));

export const readsLarge = defineHandler('reads_large', {}, async ({ context }) => {
  let early = '';
  try {
    context.getDependencyResult('a');
  } catch (error) {
    early = (error as { errorType: string }).errorType;
  }
  const lengths: number[] = [];
  for await (const { result } of context.dependencies<{ text: string }>('')) lengths.push(result!.text.length);
  return { early, lengths };
});

export class Always extends StepHandler {
  static override readonly handlerName = 'always';
  static override readonly isolation = 'thread';
  async call() {
    return this.success(where);
  }
  async other(context: StepContext) {
    return this.success({ ...where, other: context.handlerName });
  }
}

export const optional = defineHandler('optional', { isolation: 'thread' }, () => where);
`;

/** Creates a folder with these handlers, which is removed when the test ends. */
export function threadHandlers(): string {
  const root = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'tasker-threads-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(path.join(root, 'node_modules', '@opentelemetry'), { recursive: true });
  mkdirSync(path.join(root, 'handlers'));
  symlinkSync(path.resolve('.'), path.join(root, 'node_modules', 'tasker-core'));
  const api = path.join('node_modules', '@opentelemetry', 'api');
  symlinkSync(path.resolve(api), path.join(root, api));
  writeFileSync(path.join(root, 'handlers', 'all.ts'), HANDLERS);
  return path.join(root, 'handlers');
}
