import type { DeclaredEvent, DeclaredEvents, EventOutcome } from '../engine/declared-events.ts';
import type { StepEvents } from '../engine/engine.ts';
import type { StoredExecution } from '../engine/event-execution.ts';
import type { AttemptDetail, EventProblem } from '../engine/task-view.ts';
import { messageOf } from '../errors.ts';
import { uuidV7 } from '../model/uuid.ts';

/** An attempt that ended and is not recorded yet: what its events tell of. */
export interface EndedAttempt {
  outcome: EventOutcome;
  stepName: string;
  /** JSON text; `null` of a failure. */
  result: string;
  /** JSON text of error and metadata, or `null`. */
  detail: string;
  durationMs: number;
  /** The name of the worker. */
  worker: string;
}

/** An event that goes with the recording of its attempt. */
export interface PreparedEvent {
  declared: DeclaredEvent;
  eventId: string;
  /** The publisher's name. */
  publisher: string;
  /** JSON text; undefined: the result is the payload. */
  payload: string | undefined;
  /** JSON text of what is said beside ids and times; undefined: nothing. */
  metadata: string | undefined;
}

/** The events of one attempt, in the order in which they are declared. */
export interface Publication {
  events: readonly PreparedEvent[];
  problems: readonly EventProblem[];
  /** Set: an event that does not fit its schema makes the step fail, for this reason. */
  failStep: string | undefined;
}

export const DEFAULT_PUBLISHER = 'default';
const FINAL = JSON.stringify({ final: true });

/** Makes the events of an attempt that its outcome publishes. Never throws. */
export function prepareEvents(attempt: EndedAttempt, declared: DeclaredEvents): Publication {
  const events: PreparedEvent[] = [];
  const problems: EventProblem[] = [];
  let failStep: string | undefined;
  let payload: unknown;
  for (const event of declared[attempt.outcome]) {
    payload ??= attempt.outcome === 'completed' ? JSON.parse(attempt.result) : {};
    const problem = violationOf(event, payload);
    if (!problem) events.push(ordinary(event, attempt));
    else {
      problems.push(problem);
      if (failsStep(event, attempt, problem))
        failStep ??= `step ${attempt.stepName}: event ${event.name}: ${problem.message}`;
    }
  }
  return { events, problems, failStep };
}

function ordinary(declared: DeclaredEvent, { outcome }: EndedAttempt): PreparedEvent {
  return {
    declared,
    eventId: uuidV7(),
    publisher: DEFAULT_PUBLISHER,
    payload: outcome === 'completed' ? undefined : '{}',
    metadata: outcome === 'failed' ? FINAL : undefined,
  };
}

function violationOf(event: DeclaredEvent, payload: unknown): EventProblem | undefined {
  try {
    const [first] = event.violations(payload);
    if (!first) return undefined;
    const message = `the payload does not fit the event's schema: ${first.path || '/'} ${first.message}`;
    return { event: event.name, kind: 'invalid', message, path: first.path };
  } catch (thrown) {
    return { event: event.name, kind: 'failed', message: messageOf(thrown), path: null };
  }
}

/** A step that failed anyway keeps its own error, and its attempts. */
function failsStep({ onInvalid }: DeclaredEvent, { outcome }: EndedAttempt, { kind }: EventProblem): boolean {
  return onInvalid === 'fail_step' && kind === 'invalid' && outcome === 'completed';
}

/** What the recording statement stores of them, as JSON text; undefined: nothing. */
export function storedEvents(attempt: EndedAttempt, events: readonly PreparedEvent[]): string | undefined {
  const stored = events.filter(({ declared }) => declared.deliveryMode !== 'fast');
  if (stored.length === 0) return undefined;
  const { events: key, execution } = KEYS;
  return `{"${execution}":${storedExecution(attempt)},"${key}":[${stored.map(storedEvent).join(',')}]}`;
}

const KEYS = { execution: 'execution', events: 'events' } as const satisfies { [Key in keyof StepEvents]: Key };

/** Payload and metadata are JSON text already. */
function storedEvent({ declared, eventId, publisher, payload, metadata }: PreparedEvent): string {
  let text = `{"id":"${eventId}","name":${JSON.stringify(declared.name)},"publisher":${JSON.stringify(publisher)}`;
  if (payload !== undefined) text += `,"payload":${payload}`;
  if (metadata !== undefined) text += `,"metadata":${metadata}`;
  if (declared.condition === 'retryable_failure') text += ',"retried":true';
  if (declared.condition === 'permanent_failure') text += ',"retried":false';
  return `${text}}`;
}

function storedExecution({ outcome, detail, durationMs, worker }: EndedAttempt): string {
  const kept = detail === 'null' ? undefined : (JSON.parse(detail) as AttemptDetail);
  const execution: StoredExecution = { execution_time_ms: durationMs, worker_id: worker, ...kept };
  if (outcome !== 'completed') execution.result = {};
  return JSON.stringify(execution);
}
