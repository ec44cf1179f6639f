// A worker process, assembled by hand. `npx tasker worker` does all of this and more.
//   DATABASE_URL=… TASKER_TEMPLATE_PATH=./templates TASKER_HANDLER_PATH=./handlers node server.ts
// (with a Node version that runs TypeScript, or any bundler; the file only uses erasable types)
import {
  bootstrapWorker,
  EventBridge,
  EventPoller,
  HandlerRegistry,
  ShutdownController,
  StepExecutionSubscriber,
  stopWorker,
} from 'tasker-core';

const shutdown = new ShutdownController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => shutdown.trigger(signal));

// Bootstrap the worker, which connects, registers templates and finds handlers.
const result = await bootstrapWorker();
if (!result.success) {
  console.error(result.message);
  process.exit(3);
}

// Start the event dispatch system.
const eventBridge = EventBridge.instance();
eventBridge.start();

// Create the subscriber that runs steps.
const handlerRegistry = HandlerRegistry.instance();
const stepSubscriber = new StepExecutionSubscriber({ eventBridge, handlerRegistry, workerId: 'typescript-worker-001' });
stepSubscriber.start();

// Start the poller that passes steps to it.
const eventPoller = new EventPoller({ pollingIntervalMs: 10 });
eventPoller.onStepEvent((event) => eventBridge.publish('step_execution_received', event));
eventPoller.start();
console.log(`worker ${result.workerId} runs`);

// Wait for a signal.
await shutdown.promise;
console.log(`${shutdown.signal}: running handlers may finish`);

// Stop in this order: the poller, the subscriber with its running steps, the bridge, the worker.
await eventPoller.stop();
await stepSubscriber.stop();
eventBridge.stop();
await stopWorker();
