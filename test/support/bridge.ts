import { onTestFinished } from 'vitest';
import {
  type BootstrapConfig,
  bootstrapWorker,
  EventBridge,
  EventPoller,
  type EventPollerOptions,
  HandlerRegistry,
  StepExecutionSubscriber,
  type StepHandlerClass,
  stopWorker,
} from '../../src/index.ts';
import type { sharedDatabase } from './shared-database.ts';

type Shared = ReturnType<typeof sharedDatabase>;
type Steps = Parameters<Shared['setup']>[0];

/** Options of {@link setupBridge}: the template, and the worker, bridge, subscriber and poller of this process. */
export interface BridgeOptions {
  handlers?: Record<string, StepHandlerClass>;
  config?: BootstrapConfig;
  poller?: EventPollerOptions;
  maxConcurrent?: number;
  handlerTimeoutMs?: number;
  workerId?: string;
  task?: Record<string, unknown>;
  /** The parts to start. Default: all. */
  start?: readonly ('bridge' | 'subscriber' | 'poller')[];
}

/** Stops the worker of this process and resets its singletons when the test ends. */
export function cleanProcess(): void {
  onTestFinished(async () => {
    await stopWorker(null, { drainTimeoutMs: 1_000 });
    EventBridge.resetInstance();
    HandlerRegistry.instance().clear();
  });
}

/** Starts the worker of this process with its bridge, subscriber and poller, for a template in a new namespace. */
export async function setupBridge(shared: Shared, steps: Steps, options: BridgeOptions = {}) {
  const { task = {}, start = ['bridge', 'subscriber', 'poller'], maxConcurrent, handlerTimeoutMs } = options;
  const { tasker, demo } = await shared.setup(steps, { task, worker: false });
  cleanProcess();
  const registry = HandlerRegistry.instance();
  for (const [name, handler] of Object.entries(options.handlers ?? {})) registry.register(name, handler);
  const result = await bootstrapWorker({
    namespace: demo.namespace,
    databaseUrl: shared.url,
    logLevel: 'error',
    ...options.config,
  });
  const bridge = EventBridge.instance();
  const subscriber = new StepExecutionSubscriber({
    eventBridge: bridge,
    handlerRegistry: registry,
    ...(options.workerId !== undefined && { workerId: options.workerId }),
    ...(maxConcurrent !== undefined && { maxConcurrent }),
    ...(handlerTimeoutMs !== undefined && { handlerTimeoutMs }),
  });
  const poller = new EventPoller(options.poller);
  if (start.includes('bridge')) bridge.start();
  if (start.includes('subscriber')) subscriber.start();
  if (start.includes('poller')) poller.start();
  onTestFinished(async () => {
    await poller.stop();
    await subscriber.stop({ drainTimeoutMs: 200 });
  });
  const create = (context: Record<string, unknown> = {}) => tasker.createTask({ ...demo, context });
  const run = async (context: Record<string, unknown> = {}) => {
    const { taskUuid } = await create(context);
    const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    const all = await tasker.getSteps(taskUuid);
    return { taskUuid, status, step: Object.fromEntries(all.map((one) => [one.name, one])) };
  };
  return { tasker, demo, result, registry, bridge, subscriber, poller, create, run };
}
