import { describe, expect, it } from 'vitest';
import {
  BootstrapConfig,
  bootstrapWorker,
  defineHandler,
  EventBridge,
  EventNames,
  EventPoller,
  type FfiStepEvent,
  HandlerRegistry,
  type StepContext,
  StepExecutionSubscriber,
  StepHandler,
  type StepHandlerResult,
  stopWorker,
} from '../../../src/index.ts';
import { cleanProcess } from '../../support/bridge.ts';
import { deferred } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

// The programs of the documentation page, line by line.

const shared = sharedDatabase();

class ProcessDataHandler extends StepHandler {
  static override handlerName = 'process_data';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ doubled: Number(context.inputData.n) * 2 });
  }
}

const STEPS = { process_data: [], report: ['process_data'] };

async function setup() {
  const { tasker, demo } = await shared.setup(STEPS, { worker: false });
  cleanProcess();
  const run = async () => {
    const { taskUuid } = await tasker.createTask({ ...demo, context: { n: 21 } });
    const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    const [first] = await tasker.getSteps(taskUuid);
    return { status, result: first?.results?.result, worker: first?.results?.metadata.worker_id };
  };
  return { namespace: demo.namespace, run };
}

const report = defineHandler('report', {}, () => ({ reported: true }));

describe('the programs of the documentation page', () => {
  it('the server mode program starts worker, bridge, subscriber and poller, and stops them in reverse order', async () => {
    const { namespace, run } = await setup();
    const shutdown = deferred();
    const config = BootstrapConfig({ namespace, databaseUrl: shared.url, logLevel: 'error' });
    HandlerRegistry.instance().register(ProcessDataHandler);
    HandlerRegistry.instance().register(report);

    // Bootstrap the worker foundation
    const result = await bootstrapWorker(config);
    expect(result).toMatchObject({ success: true, status: 'started' });

    // Start event dispatch system
    const eventBridge = EventBridge.instance();
    eventBridge.start();

    // Create step execution subscriber
    const handlerRegistry = HandlerRegistry.instance();
    const stepSubscriber = new StepExecutionSubscriber({
      eventBridge,
      handlerRegistry,
      workerId: 'typescript-worker-001',
    });
    stepSubscriber.start();

    // Start event poller (10ms polling)
    const eventPoller = new EventPoller({ pollingIntervalMs: 10 });
    eventPoller.onStepEvent((e) => eventBridge.publish('step_execution_received', e));
    eventPoller.start();

    // Wait for shutdown signal
    const work = run().then((seen) => {
      shutdown.resolve();
      return seen;
    });
    await shutdown.promise;
    expect(await work).toEqual({ status: 'complete', result: { doubled: 42 }, worker: 'typescript-worker-001' });

    // Graceful shutdown
    await eventPoller.stop();
    await stepSubscriber.stop();
    eventBridge.stop();
    expect(await stopWorker()).toMatchObject({ success: true, status: 'stopped' });
    expect(await stopWorker()).toMatchObject({ success: true, status: 'not_running' });
  });

  it('the embedded mode program, which registers handlers after bootstrap and awaits nothing, runs steps', async () => {
    const { namespace, run } = await setup();

    // Bootstrap worker
    const config = BootstrapConfig({ namespace, databaseUrl: shared.url, logLevel: 'error' });
    void bootstrapWorker(config);

    // Register handlers
    const registry = HandlerRegistry.instance();
    registry.register('process_data', ProcessDataHandler);
    registry.register(report);

    // Start event dispatch (required for embedded usage)
    const bridge = EventBridge.instance();
    bridge.start();

    const subscriber = new StepExecutionSubscriber(bridge, registry, 'embedded-worker');
    subscriber.start();

    const poller = new EventPoller();
    poller.onStepEvent((e) => bridge.publish('step_execution_received', e));
    poller.start();

    expect(await run()).toEqual({ status: 'complete', result: { doubled: 42 }, worker: 'embedded-worker' });

    // Everything stops although the program awaits none of these calls.
    void poller.stop();
    void subscriber.stop();
    bridge.stop();
    expect(await stopWorker()).toMatchObject({ status: 'stopped' });
  });

  it('a poller without a callback publishes on the bridge', async () => {
    const { namespace, run } = await setup();
    void bootstrapWorker({ namespace, databaseUrl: shared.url, logLevel: 'error' });
    const registry = HandlerRegistry.instance();
    registry.register('process_data', ProcessDataHandler);
    registry.register(report);
    const bridge = EventBridge.instance();
    bridge.start();
    new StepExecutionSubscriber(bridge, registry, 'embedded-worker').start();
    const seen: string[] = [];
    bridge.subscribe(EventNames.STEP_EXECUTION_RECEIVED, (event: FfiStepEvent) => seen.push(event.workflowStep.name));
    const poller = new EventPoller();
    poller.start();
    expect((await run()).status).toBe('complete');
    expect(seen).toEqual(['process_data', 'report']);
    await poller.stop();
  });
});
