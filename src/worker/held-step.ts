import type { BatchWorkerRow } from '../engine/engine.ts';
import { reachedFrom } from '../engine/reached-steps.ts';
import type { AttemptDetail } from '../engine/task-view.ts';
import type { DependencyResultParams } from '../handlers/dependency-result.ts';
import type { FfiStepEvent } from '../handlers/ffi-step-event.ts';
import type { CheckpointProgress, StepContextParams, TransactionWork } from '../handlers/step-context.ts';
import type { ExecutableHandler } from '../handlers/step-handler.ts';
import type { Logger } from '../logging/logger.ts';
import { templateIndex } from '../model/step-index.ts';
import { stepUuid } from '../model/uuid.ts';
import type { StepTemplate } from '../template/task-template.ts';
import { stepEvent } from './step-event.ts';
import type { BatchMember, CachedTask, KnownResults } from './task-cache.ts';
import { dependencyTooLarge } from './worker-failures.ts';

type Fields = Record<string, unknown>;

/** What a claim says of one step. */
export interface HeldStepRow {
  idx: number;
  attempts: number;
  spared: number;
  max_attempts: number;
  rank: number;
}

/** A step above another one; `failure` of a worker that its batch goes on without. */
type Place = Pick<BatchMember, 'idx' | 'failure'>;

function paramsOf(taskUuid: string, { idx, failure }: Place, text: string | null): DependencyResultParams {
  if (failure === null) {
    return { stepUuid: stepUuid(taskUuid, idx), result: text === null ? {} : (JSON.parse(text) as unknown) };
  }
  const { error = {} } = JSON.parse(failure) as AttemptDetail;
  return {
    stepUuid: stepUuid(taskUuid, idx),
    result: null,
    success: false,
    errorMessage: error.message ?? null,
    errorType: error.error_type ?? null,
    errorRetryable: error.retryable ?? null,
  };
}

/** What a held step asks of its worker while its handler runs. */
export interface StepPort {
  /** The result of a step above it, as JSON text, from the database. */
  loadResult(step: HeldStep, idx: number): Promise<string | null>;
  saveCheckpoint(step: HeldStep, progress: CheckpointProgress): Promise<void>;
  transaction<T>(step: HeldStep, work: TransactionWork<T>): Promise<T>;
}

/** A held step as it was handed out. */
export interface HandedOut {
  readonly event: FfiStepEvent;
  /** Who runs it; undefined: the worker itself. */
  readonly runBy: string | undefined;
  /** For steps without `timeout_seconds`; undefined: what the worker has for them. */
  readonly timeoutMs: number | undefined;
  readonly channel: {
    isolated(step: HeldStep, handler: ExecutableHandler): ExecutableHandler;
    within(step: HeldStep, call: () => unknown): unknown;
    calls(step: HeldStep): void;
    called(step: HeldStep, from: number): void;
  };
}

/** How a step is held. */
export interface Holding {
  /** The fence. */
  claim: number;
  logger: Logger;
  port: StepPort;
}

/**
 * A step that this worker holds: from the claim until its outcome is acknowledged. It is what the handler's context
 * reads from; JSON is parsed when it is asked for, anew for each step, so that no handler sees another's changes.
 */
export class HeldStep implements StepContextParams {
  readonly task: CachedTask;
  readonly idx: number;
  /** The step of the template that it is, or that it is made from as a worker of a batch. */
  readonly templateIdx: number;
  /** What a worker of a batch is to do; of other steps undefined. */
  part: BatchWorkerRow | undefined;
  /** How far it came, as JSON text; null: nothing was saved. */
  saved: string | null = null;
  /** The fence. */
  readonly claim: number;
  readonly attempt: number;
  readonly spared: number;
  readonly maxAttempts: number;
  readonly rank: number;
  readonly startedAt = performance.now();
  /** It may read more of others than comes with a step: its handler asks for each result. */
  lazy = false;
  /** When the handler's time is up, on the clock of `performance.now()`. */
  deadline = Number.POSITIVE_INFINITY;
  /** Why the worker no longer waits for the handler; its late result is refused. */
  over: 'timeout' | 'cancelled' | 'lease_lost' | 'given_back' | undefined;
  /** A transaction of its handler is open. */
  transacting = false;
  /** Settles when what was saved before is saved. */
  saving: Promise<unknown> | undefined;
  /** Its handler was called. */
  started = false;
  /** What it came to is with the recorder, and nobody else decides about it. */
  ended = false;
  /** As what it was handed out, and who runs it; undefined while this worker runs its steps itself. */
  handout: HandedOut | undefined;
  #controller: AbortController | undefined;
  #known: KnownResults;
  #ancestors: Map<string, Place> | undefined;
  /** The span that its attempt, or the creation of its task, is to others. */
  traceparent: string | undefined;
  readonly #logger: Logger;
  readonly #port: StepPort;

  constructor(task: CachedTask, row: HeldStepRow, { claim, logger, port }: Holding) {
    this.task = task;
    this.idx = row.idx;
    this.templateIdx = templateIndex(row.idx);
    this.#port = port;
    this.claim = claim;
    this.attempt = row.attempts;
    this.spared = row.spared;
    this.maxAttempts = row.max_attempts;
    this.rank = row.rank;
    this.#logger = logger;
    this.#known = task.known;
    this.traceparent = task.row.traceparent ?? undefined;
  }

  get template(): StepTemplate {
    return this.task.snapshot.template.steps[this.templateIdx]!;
  }

  get name(): string {
    return this.part?.name ?? this.template.name;
  }

  get taskUuid(): string {
    return this.task.taskUuid;
  }

  get stepUuid(): string {
    return stepUuid(this.task.taskUuid, this.idx);
  }

  get handlerName(): string {
    return this.template.handler.callable;
  }

  get correlationId(): string {
    return this.task.row.correlation_id ?? this.task.taskUuid;
  }

  get inputData(): Fields {
    return JSON.parse(this.task.row.context) as Fields;
  }

  get stepConfig(): Fields {
    return structuredClone(this.template.handler.initialization);
  }

  get stepInputs(): Fields {
    const inputs = structuredClone(this.template.handler.initialization) as Fields;
    const { part, template } = this;
    if (!part) return inputs;
    return {
      ...inputs,
      cursor: JSON.parse(part.cursor) as Fields,
      batch_metadata: {
        cursor_field: template.batchConfig!.cursorField,
        failure_strategy: template.batchConfig!.failureStrategy,
      },
      is_no_op: part.no_op,
      __template_step_name: template.name,
    };
  }

  get retryCount(): number {
    return this.attempt - this.spared - 1;
  }

  get maxRetries(): number {
    return this.maxAttempts;
  }

  get checkpoint(): Fields | null {
    return this.saved === null ? null : (JSON.parse(this.saved) as Fields);
  }

  saveCheckpoint(progress: CheckpointProgress): Promise<void> {
    return this.#port.saveCheckpoint(this, progress);
  }

  transaction<T>(work: TransactionWork<T>): Promise<T> {
    return this.#port.transaction(this, work);
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.over) this.#controller.abort(this.#reason());
    return this.#controller.signal;
  }

  get logger(): Logger {
    return this.#logger.child({
      task_uuid: this.taskUuid,
      step: this.name,
      attempt: this.attempt - this.spared,
      correlation_id: this.correlationId,
    });
  }

  get event(): FfiStepEvent {
    return this.handout?.event ?? stepEvent(this);
  }

  dependencyNames(): string[] {
    return [...this.#ancestorPlaces.keys()];
  }

  templateSteps(): readonly string[] {
    return this.task.snapshot.graph.names;
  }

  dependency(name: string): DependencyResultParams | undefined {
    const place = this.#ancestorPlaces.get(name);
    if (place === undefined) return undefined;
    const text = this.#known.texts.get(place.idx);
    if (this.lazy || text === undefined) throw dependencyTooLarge(this, name);
    return paramsOf(this.taskUuid, place, text);
  }

  /** The same of a result that may have been too large to come with the step. */
  async loadDependency(name: string): Promise<DependencyResultParams | undefined> {
    const place = this.#ancestorPlaces.get(name);
    if (place === undefined) return undefined;
    const text = this.#known.texts.get(place.idx);
    return paramsOf(this.taskUuid, place, text === undefined ? await this.#port.loadResult(this, place.idx) : text);
  }

  /** By name, the steps above it that are over. A step that joins thousands of others looks each up once. */
  get #ancestorPlaces(): Map<string, Place> {
    if (this.#ancestors) return this.#ancestors;
    const { graph } = this.task.snapshot;
    const { texts, withheld, batches } = this.#known;
    const places = new Map<string, Place>();
    const { ancestors, dynamic } = graph;
    const above = dynamic
      ? [...reachedFrom(graph, this.templateIdx, this.#known)].reverse()
      : ancestors[this.templateIdx]!;
    for (const idx of above) {
      if (texts.has(idx) || withheld.has(idx)) places.set(graph.names[idx]!, { idx, failure: null });
      for (const member of batches.get(idx) ?? []) places.set(member.name, member);
    }
    this.#ancestors = places;
    return places;
  }

  /** Its handler is called now: what it may read of other steps is settled. */
  begin(): void {
    this.started = true;
    this.#known = this.task.known;
    this.#ancestors = undefined;
  }

  /** The worker stops waiting: the handler's signal fires. */
  end(why: NonNullable<HeldStep['over']>): void {
    this.over = why;
    this.#controller?.abort(this.#reason());
  }

  /** The signal fires, and the handler still has a moment to settle. */
  warn(reason: string): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(new DOMException(reason, 'AbortError'));
  }

  #reason(): DOMException {
    switch (this.over) {
      case 'timeout':
        return new DOMException(`step ${this.name} took longer than its timeout`, 'TimeoutError');
      case 'cancelled':
        return new DOMException(
          `step ${this.name} was taken away: its task was cancelled or an operator settled it`,
          'AbortError',
        );
      case 'lease_lost':
        return new DOMException(
          `step ${this.name} was given to another worker: this one's lease was over`,
          'AbortError',
        );
      case 'given_back':
      case undefined:
        return new DOMException(`step ${this.name} was given back: the worker stops`, 'AbortError');
    }
  }
}
