import type {
  FfiDispatchMetrics,
  FfiStepEvent,
  NapiCheckpointYieldData,
  NapiStepExecutionResult,
  StepEventSource,
  StepResultSink,
} from '../../src/index.ts';
import { uuidV7 } from '../../src/model/ids.ts';
import { testStepEvent } from '../../src/testing/test-context.ts';

/** Creates a step event in the format of a custom module. */
export function stepEvent(
  step: { handlerName?: string; inputData?: Record<string, unknown>; timeoutSeconds?: number; method?: string } = {},
): FfiStepEvent {
  const { handlerName = 'greet', inputData = {}, timeoutSeconds = null, method = null } = step;
  const event = testStepEvent({
    taskUuid: uuidV7(),
    stepUuid: uuidV7(),
    correlationId: 'c-1',
    handlerName,
    stepName: handlerName,
    inputData,
    stepConfig: {},
    stepInputs: {},
    retryCount: 0,
    rerun: 0,
    maxRetries: 3,
    checkpoint: null,
    dependencies: new Map(),
  });
  return { ...event, stepDefinition: { ...event.stepDefinition, timeoutSeconds, handlerMethod: method } };
}

/** A custom module, which returns the given events and records what is sent to it. */
export class OwnModule implements StepEventSource, StepResultSink {
  readonly events: FfiStepEvent[] = [];
  readonly results: { eventId: string; result: NapiStepExecutionResult }[] = [];
  readonly yields: { eventId: string; data: NapiCheckpointYieldData }[] = [];
  polls = 0;
  starvationChecks = 0;
  cleanups = 0;
  metrics: FfiDispatchMetrics = { pendingCount: 0, starvationDetected: false, starvingEventCount: 0 };
  refuse: ((result: NapiStepExecutionResult) => boolean) | undefined;

  pollStepEvents(): FfiStepEvent | null {
    this.polls++;
    return this.events.shift() ?? null;
  }

  getFfiDispatchMetrics(): FfiDispatchMetrics {
    return { ...this.metrics, pendingCount: this.events.length };
  }

  checkStarvationWarnings(): void {
    this.starvationChecks++;
  }

  cleanupTimeouts(): void {
    this.cleanups++;
  }

  completeStepEvent(eventId: string, result: NapiStepExecutionResult): boolean {
    if (this.refuse?.(result)) throw new Error('it cannot be serialized');
    this.results.push({ eventId, result });
    return true;
  }

  checkpointYieldStepEvent(eventId: string, data: NapiCheckpointYieldData): boolean {
    this.yields.push({ eventId, data });
    return true;
  }
}
