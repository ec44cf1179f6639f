import type { DependencyResultParams } from '../../handlers/dependency-result.ts';
import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import type { CheckpointProgress } from '../../handlers/step-context.ts';
import type { StepHandlerResultParams } from '../../handlers/step-handler.ts';
import type { HandlerOrigin } from '../../registry/handler-origin.ts';

// What is said between a worker and the threads in which it runs handlers. All of it is data.

export type Fields = Record<string, unknown>;

/** A step, as its handler's context needs it. */
export interface StepMessage {
  taskUuid: string;
  stepUuid: string;
  step: string;
  handlerName: string;
  correlationId: string;
  traceparent: string | undefined;
  inputData: Fields;
  stepConfig: Fields;
  stepInputs: Fields;
  retryCount: number;
  maxRetries: number;
  checkpoint: Fields | null;
  /** The names of what it may read. */
  dependencyNames: string[];
  /** What came with the step; the others are asked for. */
  dependencies: Map<string, DependencyResultParams>;
  /** Absent when what it may read is too large to come with it. */
  event?: FfiStepEvent;
  /** The levels that its log wants. */
  levels: LogLevel[];
  /** It was told to stop before its thread had it. */
  aborted?: Reason;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Why a signal fires. */
export interface Reason {
  name: string;
  message: string;
}

/** An error that crosses threads. */
export interface ErrorMessage {
  message: string;
  errorType: string;
  retryable: boolean;
}

/** What a thread asks of its worker while a handler runs. */
export type Question = { load: string } | { save: CheckpointProgress };

/** The answer: the result of a step, or what is saved now. */
export type Answer =
  | { loaded: DependencyResultParams | undefined }
  | { saved: Fields | null }
  | { error: ErrorMessage };

/** To a thread. `run` numbers the calls of handlers: what is said of one that is over is passed over. */
export type ToThread =
  | { kind: 'run'; run: number; origin: HandlerOrigin; method: string | null; step: StepMessage }
  | { kind: 'abort'; run: number; reason: Reason }
  | { kind: 'answer'; run: number; question: number; answer: Answer };

/** A result whose parts are data; `json` is what is stored of it. */
export interface ResultMessage extends Omit<StepHandlerResultParams, 'result'> {
  json: string;
}

/** From a thread. */
export type FromThread =
  | { kind: 'settled'; run: number; result: ResultMessage }
  | { kind: 'question'; run: number; question: number; asks: Question }
  | { kind: 'log'; run: number; level: LogLevel; fields: Fields; message: string };
