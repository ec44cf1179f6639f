import { FAILED_KINDS, KIND } from '../engine/engine.ts';
import type { EventOutcome } from '../engine/events/declared-events.ts';
import type { EventProblem } from '../engine/task-view.ts';
import { messageOf, TaskerError } from '../errors.ts';
import { reportPublished, reportUnpublished } from '../events/publishing/after-publication.ts';
import type { PublisherSource } from '../events/publishing/ask-publishers.ts';
import type { EndedAttempt } from '../events/publishing/ended-attempt.ts';
import { type Publication, prepareEvents, storedEvents } from '../events/publishing/publication.ts';
import type { EventBus } from '../events/subscribing/event-bus.ts';
import { StepHandlerResult } from '../handlers/step-handler.ts';
import type { Logger } from '../logging/logger.ts';
import type { Counter } from '../metrics/instrument.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { DeliveryMode } from '../template/task-template.ts';
import { backOff } from '../time/back-off.ts';
import { type AttemptEnd, failedInstead, noteEventProblems } from './attempt-end.ts';
import { stepFields } from './step-reports.ts';
import type { CachedTask } from './task-cache.ts';

/** How often the parent of a task is read, if the database does not respond. */
const PARENT_TRIES = 8;

/** Options of {@link Publishing}. */
export interface PublishingOptions {
  /** The worker's name. */
  worker: string;
  /** Returns the parent of a task. Undefined if it has none. */
  parentOf(taskUuid: string): Promise<{ taskUuid: string; rootUuid: string } | undefined>;
  /** Undefined if the default publisher creates all events. */
  publishers: PublisherSource | undefined;
  bus: EventBus;
  metrics: Metrics;
  logger: Logger;
}

/**
 * Publishes the domain events of a worker's steps. The events are created when a handler has settled, and are stored
 * with its outcome. After the commit, they are published to the subscribers of this process. Only used for steps that
 * declare events.
 */
export class Publishing {
  readonly #options: PublishingOptions;
  readonly #publishers: { source: PublisherSource; logger: Logger } | undefined;
  readonly #published: Readonly<Record<DeliveryMode, Counter>>;

  constructor(options: PublishingOptions) {
    this.#options = options;
    const { publishers: source, logger, metrics } = options;
    this.#publishers = source && { source, logger };
    const { eventsPublished } = metrics.instruments;
    this.#published = {
      durable: eventsPublished.of('durable'),
      fast: eventsPublished.of('fast'),
      broadcast: eventsPublished.of('broadcast'),
    };
  }

  /** Number of ends that wait for the hooks of their publishers. */
  pending = 0;

  /**
   * Adds the events to the end, and returns the end to record. The returned end differs if an event made the step fail.
   * Returns a promise only if a hook of a publisher returned one. Never throws or rejects.
   */
  prepare(end: AttemptEnd): AttemptEnd | Promise<AttemptEnd> {
    const { step } = end;
    const declared = step.task.snapshot.events[step.templateIdx];
    if (!declared || !(end.kind === KIND.completed || FAILED_KINDS.has(end.kind))) return end;
    const startedAt = this.#publishers ? performance.now() : 0;
    const make = () => prepareEvents(endedAttempt(end, this.#options.worker), declared, this.#publishers);
    const { task } = step;
    // Only a task with a parent correlation id can be a child task.
    const made =
      task.row.parentCorrelationId !== null && task.parent === undefined ? this.#loadParent(task).then(make) : make();
    if (!(made instanceof Promise)) return this.#made(end, made, startedAt);
    this.pending++;
    return made
      .then((publication) => this.#made(end, publication, startedAt))
      .finally(() => {
        this.pending--;
      });
  }

  /** Loads the parent of a task, once. Without a response of the database, the events are published without the parent. */
  async #loadParent(task: CachedTask): Promise<void> {
    for (let tries = 0; tries < PARENT_TRIES && task.parent === undefined; tries++) {
      if (tries > 0) await backOff(tries - 1);
      try {
        task.parent = (await this.#options.parentOf(task.taskUuid)) ?? null;
      } catch (error) {
        this.#options.logger.debug({ task_uuid: task.taskUuid, error: messageOf(error) }, 'parent task not loaded');
      }
    }
  }

  #made(end: AttemptEnd, publication: Publication, startedAt: number): AttemptEnd | Promise<AttemptEnd> {
    const { events, problems, failStep } = publication;
    if (startedAt > 0) this.#options.metrics.instruments.eventPublish.observe((performance.now() - startedAt) / 1000);
    if (problems.length > 0) this.#tellProblems(end, problems);
    if (failStep !== undefined) return this.#fail(end, publication, failStep);
    noteEventProblems(end, problems);
    if (events.length > 0) {
      end.events = storedEvents(publication);
      end.publication = publication;
    }
    return end;
  }

  /** Turns the end into a failure. The events of a failure are then published instead. */
  #fail(end: AttemptEnd, { events, problems }: Publication, message: string): AttemptEnd | Promise<AttemptEnd> {
    this.#unpublished(events, new TaskerError('step_failed', message));
    const failure = StepHandlerResult.failure({ message, errorType: 'event_invalid', retryable: false });
    const noted = (failed: AttemptEnd) => {
      noteEventProblems(failed, problems);
      return failed;
    };
    const failed = this.prepare(failedInstead(end, failure));
    return failed instanceof Promise ? failed.then(noted) : noted(failed);
  }

  /** Called when attempts were recorded, or rejected because this worker no longer holds their steps. */
  recorded(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[]): void {
    const { bus, logger } = this.#options;
    for (const { publication, recordedAt } of accepted) {
      if (!publication) continue;
      // An event that is not stored has no other copy, so its local time cannot contradict that of another copy.
      reportPublished(publication, { firedAt: recordedAt ?? new Date().toISOString(), bus, logger });
      for (const { declared } of publication.events) this.#published[declared.deliveryMode].add();
    }
    if (accepted.length === batch.length) return;
    const taken = new Set(accepted);
    for (const end of batch) {
      if (!end.publication || taken.has(end)) continue;
      const why = `step ${end.step.name} is no longer held by this worker: its result and its events were rejected`;
      this.#unpublished(end.publication.events, new TaskerError('step_taken_away', why));
    }
  }

  /** Returns the end without the events that would be stored with it, because the database rejected it. */
  withoutStored(end: AttemptEnd, refusal: string): AttemptEnd {
    const { publication } = end;
    if (!publication || end.events === undefined) return end;
    const message = `the event cannot be stored: ${refusal}`;
    const stored = publication.events.filter(({ declared }) => declared.deliveryMode !== 'fast');
    const problems = stored.map(
      ({ declared }) => ({ event: declared.name, kind: 'failed', message, path: null }) as const,
    );
    this.#tellProblems(end, problems);
    reportUnpublished(stored, new TaskerError('database_error', message), this.#options.logger);
    const fast = publication.events.filter((event) => !stored.includes(event));
    const without = { ...end, events: undefined, publication: { ...publication, events: fast } };
    noteEventProblems(without, problems);
    return without;
  }

  #unpublished(events: Publication['events'], error: Error): void {
    this.#options.metrics.instruments.eventsUnpublished.of('refused').add(events.length);
    reportUnpublished(events, error, this.#options.logger);
  }

  #tellProblems({ step }: AttemptEnd, problems: readonly EventProblem[]): void {
    for (const { event, kind, message, path } of problems) {
      this.#options.metrics.instruments.eventsUnpublished.of(kind).add();
      this.#options.logger.warn({ ...stepFields(step), event, path }, `event ${event} is not published: ${message}`);
    }
  }
}

/** Returns the end of an attempt in the form that its events describe. */
function endedAttempt(end: AttemptEnd, worker: string): EndedAttempt {
  const { step } = end;
  return {
    outcome: outcomeOf(end),
    taskUuid: end.taskUuid,
    idx: end.idx,
    stepName: step.name,
    templateStepName: step.template.name,
    namespace: step.task.snapshot.template.namespace,
    correlationId: step.correlationId,
    attempt: step.number,
    parent: step.task.parent ?? null,
    result: end.result,
    // A copy, because problems with events are later added to the end's own detail.
    detail: end.detail,
    durationMs: end.durationMs,
    worker,
  };
}

/** Returns the outcome of an attempt. Uses the recorder's rule to decide whether a failed step is retried. */
function outcomeOf({ kind, step }: AttemptEnd): EventOutcome {
  if (kind === KIND.completed) return 'completed';
  const again = step.template.retry.retryable && step.number < step.maxAttempts;
  return kind === KIND.retryable && again ? 'retried' : 'failed';
}
