import { compileStored, type SchemaViolation } from '../../template/json-schema-check.ts';
import type { EventCondition, EventDeclaration, StepTemplate } from '../../template/task-template.ts';

/** What an attempt came to, as conditions of events tell it: a failure is followed by another attempt, or it is not. */
export type EventOutcome = 'completed' | 'retried' | 'failed';

/** An event that a step declares, and the check of its payload. */
export interface DeclaredEvent extends EventDeclaration {
  /** Where a payload does not fit the declared schema. */
  violations(payload: unknown): readonly SchemaViolation[];
}

/** The events of a step that an attempt publishes, by what it came to, in the order in which they are declared. */
export type DeclaredEvents = Readonly<Record<EventOutcome, readonly DeclaredEvent[]>>;

const FIRES_ON: Readonly<Record<EventCondition, readonly EventOutcome[]>> = {
  success: ['completed'],
  failure: ['retried', 'failed'],
  retryable_failure: ['retried'],
  permanent_failure: ['failed'],
  always: ['completed', 'retried', 'failed'],
};

/** Undefined for a step that declares none: it does nothing about events. */
export function declaredEvents({ publishesEvents }: StepTemplate): DeclaredEvents | undefined {
  if (publishesEvents.length === 0) return undefined;
  const events = publishesEvents.map(declared);
  const of = (outcome: EventOutcome) => events.filter(({ condition }) => FIRES_ON[condition].includes(outcome));
  return { completed: of('completed'), retried: of('retried'), failed: of('failed') };
}

/** Compiled with its first payload: most processes that read a template publish nothing of it. */
function declared(event: EventDeclaration): DeclaredEvent {
  return { ...event, violations: (payload) => compileStored(event.schema)(payload) };
}
