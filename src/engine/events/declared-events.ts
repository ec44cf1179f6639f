import type { SchemaViolation } from '../../model/schema-violations.ts';
import { compileStored } from '../../template/json-schema-check.ts';
import type { EventCondition, EventDeclaration, StepTemplate } from '../../template/task-template.ts';

/**
 * The outcome of an attempt for the conditions of events. `retried`: another attempt follows. `failed`: none follows.
 */
export type EventOutcome = 'completed' | 'retried' | 'failed';

/** An event that a step declares, and the check of its payload. */
export interface DeclaredEvent extends EventDeclaration {
  /** Returns the places where a payload does not match the declared schema. */
  violations(payload: unknown): readonly SchemaViolation[];
}

/** The events that an attempt publishes, by its outcome, in the order of their declaration. */
export type DeclaredEvents = Readonly<Record<EventOutcome, readonly DeclaredEvent[]>>;

const FIRES_ON: Readonly<Record<EventCondition, readonly EventOutcome[]>> = {
  success: ['completed'],
  failure: ['retried', 'failed'],
  retryable_failure: ['retried'],
  permanent_failure: ['failed'],
  always: ['completed', 'retried', 'failed'],
};

/** Returns the declared events of a step. Undefined if it declares none. */
export function declaredEvents({ publishesEvents }: StepTemplate): DeclaredEvents | undefined {
  if (publishesEvents.length === 0) return undefined;
  const events = publishesEvents.map(declared);
  const of = (outcome: EventOutcome) => events.filter(({ condition }) => FIRES_ON[condition].includes(outcome));
  return { completed: of('completed'), retried: of('retried'), failed: of('failed') };
}

/**
 * Compiles the schema when the first payload is checked, because most processes that load a template never publish its
 * events.
 */
function declared(event: EventDeclaration): DeclaredEvent {
  return { ...event, violations: (payload) => compileStored(event.schema)(payload) };
}
