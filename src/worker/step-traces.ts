import type { Span } from '@opentelemetry/api';
import { KIND } from '../engine/engine.ts';
import { nameOf } from '../engine/template-store.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { AttemptEnd } from './attempt-end.ts';
import type { DispatchedStep } from './dispatched-step.ts';

interface Spans {
  /** Open from the claim until the outcome is acknowledged. */
  step: Span;
  /** Open while the handler runs. */
  attempt: Span | undefined;
}

const OUTCOMES: Record<AttemptEnd['kind'], string> = {
  [KIND.completed]: 'completed',
  [KIND.retryable]: 'failed',
  [KIND.permanent]: 'failed',
  [KIND.released]: 'released',
  [KIND.lost]: 'worker_lost',
  [KIND.waits]: 'waiting',
  [KIND.skipped]: 'skipped',
  [KIND.listed]: 'waiting',
};

/**
 * The spans of a worker's steps: a span for the time that it holds a step, with a child span for the run of the
 * handler.
 */
export class StepTraces {
  readonly #tracing: Tracing;
  readonly #spans = new WeakMap<DispatchedStep, Spans>();

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  /** Called when the handler is called. After a yield, the spans already exist. */
  begun(step: DispatchedStep): void {
    if (this.#spans.has(step)) return;
    const { snapshot, row } = step.task;
    const attributes = {
      'tasker.task_uuid': step.taskUuid,
      'tasker.correlation_id': step.correlationId,
      'tasker.template': nameOf(snapshot.template),
      'tasker.step': step.name,
      'tasker.step_uuid': step.stepUuid,
      'tasker.attempt': step.number,
    };
    const span = this.#tracing.start(`step ${step.name}`, {
      kind: 'CONSUMER',
      // The parent is the span that created the task, if any. The currently active span is ignored.
      parent: row.traceparent,
      attributes,
      startTime: Date.now() - (performance.now() - step.startedAt),
    });
    const attempt = this.#tracing.start(`attempt ${step.handlerName}`, {
      parent: span,
      attributes: { ...attributes, 'tasker.handler': step.handlerName },
    });
    step.traceparent = this.#tracing.traceparentOf(attempt) ?? step.traceparent;
    this.#spans.set(step, { step: span, attempt });
  }

  /** Calls a handler with the span of its attempt as the active span. */
  run<T>(step: DispatchedStep, call: () => T): T {
    const attempt = this.#spans.get(step)?.attempt;
    return attempt ? this.#tracing.run(attempt, call) : call();
  }

  /** Called when the outcome of the attempt is known. */
  settled({ step, kind, error }: AttemptEnd): void {
    const spans = this.#spans.get(step);
    if (!spans?.attempt) return;
    this.#tracing.end(spans.attempt, { error, attributes: { 'tasker.outcome': OUTCOMES[kind] } });
    spans.attempt = undefined;
  }

  /** Called when the step is no longer held: its outcome was acknowledged or rejected, or it was taken away. */
  forget(step: DispatchedStep): void {
    const spans = this.#spans.get(step);
    if (!spans) return;
    this.#spans.delete(step);
    const attributes = step.over ? { 'tasker.over': step.over } : {};
    if (spans.attempt) this.#tracing.end(spans.attempt, { attributes });
    this.#tracing.end(spans.step, { attributes });
  }
}
