import type { DependencyResultParams } from '../handlers/dependency-result.ts';
import type { FfiStepEvent } from '../handlers/ffi-step-event.ts';
import type { StepContextParams } from '../handlers/step-context.ts';
import type { Logger } from '../logging/logger.ts';
import { stepUuid } from '../model/uuid.ts';
import type { StepTemplate } from '../template/task-template.ts';
import { stepEvent } from './step-event.ts';
import type { CachedTask } from './task-cache.ts';

type Fields = Record<string, unknown>;

/** What a claim says of one step. */
export interface HeldStepRow {
  idx: number;
  attempts: number;
  spared: number;
  max_attempts: number;
  rank: number;
}

/**
 * A step that this worker holds: from the claim until its outcome is acknowledged. It is what the handler's context
 * reads from; JSON is parsed when it is asked for, anew for each step, so that no handler sees another's changes.
 */
export class HeldStep implements StepContextParams {
  readonly task: CachedTask;
  readonly idx: number;
  /** The fence. */
  readonly claim: number;
  readonly attempt: number;
  readonly spared: number;
  readonly maxAttempts: number;
  readonly rank: number;
  readonly startedAt = performance.now();
  /** When the handler's time is up, on the clock of `performance.now()`. */
  deadline = Number.POSITIVE_INFINITY;
  /** Why the worker no longer waits for the handler; its late result is refused. */
  over: 'timeout' | 'cancelled' | 'lease_lost' | 'given_back' | undefined;
  /** Its handler was called. */
  started = false;
  /** What it came to is with the recorder, and nobody else decides about it. */
  ended = false;
  #controller: AbortController | undefined;
  #results: CachedTask['results'];
  #ancestorSet: Set<number> | undefined;
  readonly #logger: Logger;

  constructor(task: CachedTask, row: HeldStepRow, claim: number, logger: Logger) {
    this.task = task;
    this.idx = row.idx;
    this.claim = claim;
    this.attempt = row.attempts;
    this.spared = row.spared;
    this.maxAttempts = row.max_attempts;
    this.rank = row.rank;
    this.#logger = logger;
    this.#results = task.results;
  }

  get template(): StepTemplate {
    return this.task.snapshot.template.steps[this.idx]!;
  }

  get name(): string {
    return this.template.name;
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
    return structuredClone(this.template.handler.initialization);
  }

  get retryCount(): number {
    return this.attempt - this.spared - 1;
  }

  get maxRetries(): number {
    return this.maxAttempts;
  }

  get checkpoint(): null {
    return null;
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
    return stepEvent(this);
  }

  dependencyNames(): string[] {
    const { names } = this.task.snapshot.graph;
    return this.#ancestors.filter((idx) => this.#results.has(idx)).map((idx) => names[idx]!);
  }

  dependency(name: string): DependencyResultParams | undefined {
    const idx = this.task.snapshot.graph.indexOf.get(name);
    if (idx === undefined || !this.#isAncestor(idx)) return undefined;
    const json = this.#results.get(idx);
    if (json === undefined) return undefined;
    const result: unknown = json === null ? {} : JSON.parse(json);
    return { stepUuid: stepUuid(this.taskUuid, idx), result };
  }

  get #ancestors(): readonly number[] {
    return this.task.snapshot.graph.ancestors[this.idx]!;
  }

  // A step that joins thousands of others reads each of them once.
  #isAncestor(idx: number): boolean {
    if (this.#ancestors.length < 32) return this.#ancestors.includes(idx);
    this.#ancestorSet ??= new Set(this.#ancestors);
    return this.#ancestorSet.has(idx);
  }

  /** Its handler is called now: what it may read of other steps is settled. */
  begin(): void {
    this.started = true;
    this.#results = this.task.results;
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
