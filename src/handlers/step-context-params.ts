import type { Logger } from '../logging/logger.ts';
import type { DependencyResult, DependencyResultParams } from './dependency-result.ts';
import type { FfiStepEvent } from './ffi-step-event.ts';

type Fields = Record<string, unknown>;

/**
 * Envelopes by step name. Their fields are optional because a context made by hand may hold bare results; and so
 * `dependencyResults.reserve ?? {}` has the keys of an envelope.
 */
export type DependencyResults = Record<string, Partial<DependencyResult>>;

/**
 * What a {@link StepContext} reads from. Each property is read when a handler first asks for it, and once: the
 * worker passes getters that parse JSON when read.
 */
export interface StepContextParams {
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly handlerName: string;
  readonly event?: FfiStepEvent;
  readonly correlationId?: string;
  readonly inputData?: Fields | null;
  /** By step name: the envelope, or the bare result. */
  readonly dependencyResults?: Record<string, unknown>;
  readonly stepConfig?: Fields | null;
  readonly stepInputs?: Fields | null;
  /** Starts before this one; default 0. */
  readonly retryCount?: number;
  /** Starts allowed in all; default 3. */
  readonly maxRetries?: number;
  readonly checkpoint?: Fields | null;
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  /**
   * One ancestor's result with what goes with it, without building `dependencyResults`; its answer is final. Plain
   * parts are best: an envelope costs microseconds, and is made of them when a handler reads `dependencyResults`.
   */
  dependency?(stepName: string): DependencyResultParams | undefined;
  /** The names of all ancestors, without building `dependencyResults`. */
  dependencyNames?(): string[];
}
