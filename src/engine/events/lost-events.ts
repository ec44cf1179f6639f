import { templateIndex } from '../../model/step-index.ts';
import { uuidV7 } from '../../model/uuid.ts';
import type { StepEvents } from '../../store/record-steps.ts';
import type { StepError } from '../task-view.ts';
import type { TemplateStore } from '../template-store.ts';
import type { DeclaredEvent } from './declared-events.ts';
import type { StoredExecution } from './execution.ts';

/** A step that was lost with its worker and is not run again. */
export interface LostStep {
  templateId: number;
  idx: number;
  error: Partial<StepError>;
}

/**
 * The events of a step that was lost for good, as of any other that failed for good. Its publishers were with the worker
 * and can't be asked, so the payload is empty, and what its schema refuses is not published; nor is what would only have
 * gone to listeners of that worker's process. Undefined: there are none.
 */
export function eventsOfLost(templates: TemplateStore, { templateId, idx, error }: LostStep): StepEvents | undefined {
  if (!templates.has(templateId)) return undefined;
  const declared = templates.get(templateId).events[templateIndex(idx)]?.failed ?? [];
  const events = declared.filter((event) => event.deliveryMode !== 'fast' && takesNothing(event));
  if (events.length === 0) return undefined;
  const execution: StoredExecution = { error, result: {} };
  const stored = ({ name }: DeclaredEvent) => ({
    id: uuidV7(),
    name,
    publisher: 'default',
    payload: {},
    metadata: { final: true },
  });
  return { execution, events: events.map(stored) };
}

function takesNothing(event: DeclaredEvent): boolean {
  try {
    return event.violations({}).length === 0;
  } catch {
    return false; // a schema that can't be read takes no payload at all
  }
}
