import type { Logger } from '../logging/logger.ts';
import type { Fields } from '../model/json.ts';
import type { TaskSchedule } from '../model/schedule/spec.ts';
import type { TemplateNames } from '../model/template-names.ts';
import type { DependencyResult, DependencyResultParams } from './dependency-result.ts';
import type { FfiStepEvent } from './ffi-step-event.ts';
import type { ChildTaskStart } from './step-wait.ts';
import type { UndoneParams } from './undone.ts';

/**
 * Envelopes by step name. Their fields are optional because a context created by hand may contain bare results. For the
 * same reason, the type of `dependencyResults.reserve ?? {}` still has the keys of an envelope. `get(name)` reads an
 * entry, as in a map. The result of a step named `get` hides the method.
 */
export type DependencyResults = Record<string, Envelope> & {
  // The type is also an envelope, so that Object.entries and Object.values still return only envelopes.
  readonly get: Envelope & ((stepName: string) => Envelope | undefined);
};

type Envelope = Partial<DependencyResult>;

/** The progress of a handler, for `context.checkpoint(…)`. */
export interface CheckpointProgress {
  /** The position to resume from: any JSON value. */
  cursor: unknown;
  /** Items processed so far by the whole step, over all attempts. Default 0. */
  itemsProcessed?: number;
  /** Intermediate results. */
  accumulatedResults?: Fields | null;
}

/** The connection of a handler's transaction: a client of the `pg` driver. */
export interface TransactionClient {
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number | null }>;
}

/** The function that a handler runs in a transaction. See `context.transaction`. */
export type TransactionWork<T> = (tx: TransactionClient, cursor: unknown) => Promise<T> | T;

/**
 * Parameters of a {@link StepContext}. Each property is read once, when a handler first needs it, because the worker
 * passes getters that parse JSON.
 */
export interface StepContextParams {
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly handlerName: string;
  readonly event?: FfiStepEvent;
  readonly correlationId?: string;
  readonly traceparent?: string | undefined;
  readonly inputData?: Fields | null;
  /** Envelopes or bare results by step name. */
  readonly dependencyResults?: Record<string, unknown>;
  readonly stepConfig?: Fields | null;
  readonly stepInputs?: Fields | null;
  /** Number of attempts before this one. Default 0. */
  readonly retryCount?: number;
  /** Maximum number of attempts, including the first. Default 3. */
  readonly maxRetries?: number;
  /** The number of the rerun that this run of the step belongs to. Default 0 means the first run. */
  readonly rerun?: number;
  /** The step that this step undoes. Null or absent if it undoes none. */
  readonly undo?: UndoneParams | null | undefined;
  /** The schedule that created the task. */
  readonly schedule?: TaskSchedule | null;
  /** The last saved checkpoint. Read again after each save. */
  readonly checkpoint?: Fields | null;
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  /**
   * Returns the outcome of one ancestor, without building `dependencyResults`. The function must always return the same
   * value. Prefer plain objects: an envelope takes microseconds to create, and is built when a handler reads
   * `dependencyResults`.
   */
  dependency?(stepName: string): DependencyResultParams | undefined;
  /** Returns the names of all ancestors, without building `dependencyResults`. */
  dependencyNames?(): string[];
  /** For an analyzer: `batch_config.batch_size` of the `batch_worker` steps that depend on it, by their names. */
  readonly batchSizes?: Readonly<Record<string, number>> | undefined;
  /** The names of the step's template. @internal */
  readonly templateNames?: TemplateNames | undefined;
  /** Loads the outcome of one ancestor, even if it was too large to be sent with the step. */
  loadDependency?(stepName: string): Promise<DependencyResultParams | undefined>;
  /** Saves the handler's progress. Rejects if the worker no longer holds the step. */
  saveCheckpoint?(progress: CheckpointProgress): Promise<void>;
  transaction?<T>(work: TransactionWork<T>): Promise<T>;
  /** Starts a child task, and returns its id. Rejects if the child cannot be started. */
  startTask?(start: ChildTaskStart): Promise<string>;
  /** Returns the token that completes this attempt. Rejects if the worker no longer holds the step. */
  completionToken?(): Promise<string>;
}
