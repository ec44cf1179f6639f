import type { Logger } from '../logging/logger.ts';
import type { Fields } from '../model/fields.ts';
import type { DependencyResult, DependencyResultParams } from './dependency-result.ts';
import type { FfiStepEvent } from './ffi-step-event.ts';

/**
 * Envelopes by step name. Their fields are optional because a context made by hand may hold bare results; and so
 * `dependencyResults.reserve ?? {}` has the keys of an envelope. `get(name)` reads it like a map. The result of a step
 * named `get` hides the method.
 */
export type DependencyResults = Record<string, Envelope> & {
  // Also an envelope, so that Object.entries and Object.values still return only envelopes.
  readonly get: Envelope & ((stepName: string) => Envelope | undefined);
};

type Envelope = Partial<DependencyResult>;

/** How far a handler came, for `context.checkpoint(…)`. */
export interface CheckpointProgress {
  /** Where to go on: any JSON. */
  cursor: unknown;
  /** Items done so far, of the whole step. Default 0. */
  itemsProcessed?: number;
  /** What was found so far. */
  accumulatedResults?: Fields | null;
}

/** The connection inside a transaction of a handler: a client of the `pg` driver. */
export interface TransactionClient {
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number | null }>;
}

/** What a handler does in a transaction; see `context.transaction`. */
export type TransactionWork<T> = (tx: TransactionClient, cursor: unknown) => Promise<T> | T;

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
  readonly traceparent?: string | undefined;
  readonly inputData?: Fields | null;
  /** By step name: the envelope, or the bare result. */
  readonly dependencyResults?: Record<string, unknown>;
  readonly stepConfig?: Fields | null;
  readonly stepInputs?: Fields | null;
  /** Starts before this one; default 0. */
  readonly retryCount?: number;
  /** Starts allowed in all; default 3. */
  readonly maxRetries?: number;
  /** What was saved last; read anew after each save. */
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
  /** The names of all steps of the template. @internal */
  templateSteps?(): readonly string[];
  /** One ancestor's result, also when it was too large to come with the step. */
  loadDependency?(stepName: string): Promise<DependencyResultParams | undefined>;
  /** Saves how far the handler came; rejects when the step is not held any more. */
  saveCheckpoint?(progress: CheckpointProgress): Promise<void>;
  transaction?<T>(work: TransactionWork<T>): Promise<T>;
}
