import type { DomainEventModule } from '../../events/subscribing/ffi-domain-event.ts';
import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import type { FfiDispatchMetrics } from '../dispatch-channel.ts';
import type { NapiCheckpointYieldData, NapiStepExecutionResult } from './execution-result.ts';

/** The source that a poller reads step events from. */
export interface StepEventSource {
  /** Returns the next event, or null if there is none. */
  pollStepEvents(): FfiStepEvent | null;
  getFfiDispatchMetrics(): FfiDispatchMetrics;
  checkStarvationWarnings(): void;
  cleanupTimeouts(): void;
}

/** Where a subscriber sends the outcomes of steps. The methods may return a value or a promise. */
export interface StepResultSink {
  /**
   * Records the outcome. Returns false if the event is unknown or was completed before, or if the worker no longer holds
   * its step.
   */
  completeStepEvent(eventId: string, result: NapiStepExecutionResult): boolean | Promise<boolean>;
  checkpointYieldStepEvent(eventId: string, checkpoint: NapiCheckpointYieldData): boolean | Promise<boolean>;
}

/** Options for starting the worker of a module. */
export interface FfiBootstrapConfig {
  namespace?: string;
  configPath?: string;
}

/** The outcome of starting the worker of a module. */
export interface FfiBootstrapResult {
  success: boolean;
  status: string;
  message: string;
  workerId?: string;
}

/** The status of a module's worker. */
export interface FfiWorkerStatus {
  success: boolean;
  running: boolean;
  workerId?: string;
  status?: string;
  environment?: string;
}

/** The worker of a process as one object. `(await getFfiLayer()).getModule()` returns the one of this process. */
export interface NapiModule extends StepEventSource, StepResultSink, DomainEventModule {
  getVersion(): string;
  getRustVersion(): string;
  healthCheck(): boolean;
  bootstrapWorker(config: FfiBootstrapConfig): FfiBootstrapResult | Promise<FfiBootstrapResult>;
  isWorkerRunning(): boolean;
  getWorkerStatus(): FfiWorkerStatus;
  stopWorker(): FfiWorkerStatus | Promise<FfiWorkerStatus>;
  transitionToGracefulShutdown(): FfiWorkerStatus;
  logError(message: string, fields?: Record<string, unknown>): void;
  logWarn(message: string, fields?: Record<string, unknown>): void;
  logInfo(message: string, fields?: Record<string, unknown>): void;
  logDebug(message: string, fields?: Record<string, unknown>): void;
  logTrace(message: string, fields?: Record<string, unknown>): void;
}

const OF_THIS_PROCESS = Symbol('the module of this process');

/** Marks the module of this process, whose events come from the channel of its worker. */
export function markOwnModule<M extends object>(module: M): M {
  return Object.defineProperty(module, OF_THIS_PROCESS, { value: true });
}

/** Returns whether a module belongs to this process. */
export function isOwnModule(module: object): boolean {
  return (module as { [OF_THIS_PROCESS]?: true })[OF_THIS_PROCESS] === true;
}
