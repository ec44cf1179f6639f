import type { DependencyResultParams } from '../../handlers/dependency-result.ts';
import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import type { CheckpointProgress } from '../../handlers/step-context-params.ts';
import type { StepHandlerResultParams } from '../../handlers/step-handler.ts';
import type { ChildTaskStart } from '../../handlers/step-wait.ts';
import type { Fields } from '../../model/json.ts';
import type { HandlerOrigin } from '../../registry/handler-origin.ts';
import type { DispatchedStep } from '../dispatched-step.ts';

// The messages between a worker and the threads in which it runs handlers. The messages consist of plain data.

/** The data that the context of a step in a thread needs. */
export interface StepMessage
  extends Pick<
    DispatchedStep,
    | 'taskUuid'
    | 'stepUuid'
    | 'handlerName'
    | 'correlationId'
    | 'traceparent'
    | 'inputData'
    | 'stepConfig'
    | 'stepInputs'
    | 'retryCount'
    | 'maxRetries'
    | 'rerun'
    | 'undo'
    | 'schedule'
    | 'checkpoint'
    | 'templateNames'
    | 'batchSizes'
  > {
  step: string;
  /** The names of the steps whose results it may read. */
  dependencyNames: string[];
  /** The results that are sent with the step. The thread requests the others. */
  dependencies: Map<string, DependencyResultParams>;
  /** Absent if the results are too large to be sent with the step. */
  event?: FfiStepEvent;
  /** The enabled log levels. */
  levels: LogLevel[];
  /** Set if its signal fired before a thread started it. */
  aborted?: Reason;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The reason why a signal fired. */
export interface Reason {
  name: string;
  message: string;
}

/** An error that is sent between threads. */
export interface ErrorMessage {
  message: string;
  errorType: string;
  retryable: boolean;
}

/** A request of a thread to its worker while a handler runs. */
export type Question = { load: string } | { save: CheckpointProgress } | { token: true } | { start: ChildTaskStart };

/** The response to a {@link Question}: the result of a step, the saved checkpoint, the token, or the id of a child task. */
export type Answer =
  | { loaded: DependencyResultParams | undefined }
  | { saved: Fields | null }
  | { token: string }
  | { started: string }
  | { error: ErrorMessage };

/** A message to a thread. `run` numbers the calls of handlers. Messages about an earlier call are ignored. */
export type ToThread =
  | { kind: 'run'; run: number; origin: HandlerOrigin; method: string | null; step: StepMessage }
  | { kind: 'abort'; run: number; reason: Reason }
  | { kind: 'answer'; run: number; question: number; answer: Answer };

/** A result as plain data. `json` is the text that is stored. */
export interface ResultMessage extends Omit<StepHandlerResultParams, 'result'> {
  json: string;
}

/** A message from a thread. */
export type FromThread =
  | { kind: 'settled'; run: number; result: ResultMessage }
  | { kind: 'question'; run: number; question: number; asks: Question }
  | { kind: 'log'; run: number; level: LogLevel; fields: Fields; message: string };
