import type { ClientModule, NapiClientResult } from '../../client/tasker-client.ts';
import { packageVersion } from '../../config/package-version.ts';
import { FFIError } from '../../errors.ts';
import { processEvents } from '../../events/subscribing/polled-events.ts';
import { StepHandlerResult } from '../../handlers/step-handler.ts';
import { logDebug, logError, logInfo, logTrace, logWarn } from '../../logging/log.ts';
import { resultOfExecution } from '../../worker/bridge/execution-result.ts';
import { type FfiWorkerStatus, markOwnModule, type NapiModule } from '../../worker/bridge/napi-module.ts';
import { processWorker } from '../../worker/bridge/process-worker.ts';
import type { DispatchChannel } from '../../worker/dispatch-channel.ts';
import { type Delivery, deliveryOf } from '../../worker/dispatch-channel.ts';
import { clientCalls } from './process-client.ts';
import { workerSystem } from './worker-system.ts';

const VERSION = '1.0.0';

/** The reader that represents a program that polls manually. It remains registered while the worker runs. */
const byHand = { wake: () => undefined };
const readByHand = new WeakSet<DispatchChannel>();

/** The worker of this process, and the calls of a client. */
type ProcessModule = NapiModule & ClientModule<Promise<NapiClientResult>>;

/**
 * The worker of this process as one object. It is for programs that poll and complete steps by hand, and for pollers
 * and subscribers that take a module. Methods that wait for a commit return promises.
 */
export const processModule: ProcessModule = markOwnModule<ProcessModule>({
  getVersion: packageVersion,
  getRustVersion: () => `tasker-core ${packageVersion()}, without a native core`,
  healthCheck: () => workerSystem.running?.worker.leaseSure ?? false,
  bootstrapWorker: (config) => workerSystem.start(config),
  isWorkerRunning: () => workerSystem.running !== undefined,
  getWorkerStatus: status,
  stopWorker: async () => {
    const { workerId, status: state, success } = await workerSystem.stop();
    return { success, running: false, status: state, ...(workerId !== undefined && { workerId }) };
  },
  transitionToGracefulShutdown: () => {
    workerSystem.running?.worker.quiesce();
    return status();
  },
  pollStepEvents: () => {
    const { channel } = processWorker;
    if (!readByHand.has(channel)) {
      readByHand.add(channel);
      channel.open(byHand);
    }
    return channel.poll();
  },
  completeStepEvent: async (eventId, result) => {
    const delivery = ownDelivery(eventId);
    if (!delivery) return false;
    const settled = resultOfExecution(result, delivery.step.stepUuid);
    delivery.runBy ??= result.metadata?.workerId;
    return delivery.channel.complete(delivery, settled, { version: VERSION });
  },
  checkpointYieldStepEvent: async (eventId, { cursor, itemsProcessed, accumulatedResults }) => {
    const delivery = ownDelivery(eventId);
    if (!delivery) return false;
    if (delivery.state === 'taken') throw yieldsItself(delivery);
    const result = { cursor, items_processed: itemsProcessed, accumulated_results: accumulatedResults };
    return delivery.channel.yield(delivery, StepHandlerResult.success(result, { checkpoint_yield: true }));
  },
  pollInProcessEvents: () => processEvents.poll(),
  getFfiDispatchMetrics: () => processWorker.channel.metrics(),
  checkStarvationWarnings: () => processWorker.channel.warnOfStarving(),
  cleanupTimeouts: () => processWorker.channel.cleanUp(),
  logError,
  logWarn,
  logInfo,
  logDebug,
  logTrace,
  ...clientCalls,
});

/**
 * Returns the error for a manual yield of a step that a subscriber runs. Dispatching the step again would run it twice.
 */
function yieldsItself({ step, eventId }: Delivery): FFIError {
  const message = `step ${step.name} is already running: a subscriber has taken event ${eventId}; return checkpointYield from its handler instead`;
  return new FFIError(message, { retryable: false });
}

/** @throws WorkerNotInitializedError */
function ownDelivery(eventId: string): Delivery | undefined {
  const { channel } = processWorker;
  const delivery = deliveryOf(eventId);
  return delivery?.channel === channel ? delivery : undefined;
}

function status(): FfiWorkerStatus {
  const { running, state } = workerSystem;
  if (!running) return { success: true, running: false, status: state };
  const { workerId, config } = running.assembly;
  return { success: true, running: true, status: state, workerId, environment: config.environment };
}

/** Options of an {@link FfiLayer}. They have no effect, because no native module is loaded. */
export interface FfiLayerConfig {
  modulePath?: string | null;
}

/**
 * Provides the worker of this process as one object. There is no native module to load. This class exists for programs
 * that were written for one.
 *
 * @example
 * const layer = new FfiLayer();
 * await layer.load();
 * const event = layer.getModule().pollStepEvents();
 */
export class FfiLayer {
  #loaded = false;
  readonly #modulePath: string | null;

  constructor({ modulePath = null }: FfiLayerConfig = {}) {
    this.#modulePath = modulePath;
  }

  /** Always returns null: there is no native module. */
  static findModulePath(): string | null {
    return null;
  }

  /** Always returns null: there is no native library. */
  static findLibraryPath(_callerDir?: string): string | null {
    return null;
  }

  load(_customPath?: string): Promise<void> {
    this.#loaded = true;
    return Promise.resolve();
  }

  /** Does not stop the worker; use `stopWorker()` for that. */
  unload(): Promise<void> {
    this.#loaded = false;
    return Promise.resolve();
  }

  isLoaded(): boolean {
    return this.#loaded;
  }

  getModule(): NapiModule & ClientModule<Promise<NapiClientResult>> {
    return processModule;
  }

  /** Returns the same as {@link getModule}. */
  getRuntime(): NapiModule & ClientModule<Promise<NapiClientResult>> {
    return processModule;
  }

  /** Returns the `modulePath` option. */
  getModulePath(): string | null {
    return this.#modulePath;
  }
}

let layer: FfiLayer | undefined;

/**
 * Returns the layer of this process, loaded.
 *
 * @example
 * const module = (await getFfiLayer()).getModule();
 * const poller = new EventPoller(module, new TaskerEventEmitter());
 */
export async function getFfiLayer(): Promise<FfiLayer> {
  layer ??= new FfiLayer();
  await layer.load();
  return layer;
}
