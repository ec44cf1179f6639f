import type { Fields } from '../model/fields.ts';
import type { CheckpointProgress } from './step-context-params.ts';

/**
 * What was saved last (`cursor`, `items_processed`, `accumulated_results`, `timestamp`, `history`), and the function
 * that saves: `await context.checkpoint({ cursor, itemsProcessed, accumulatedResults })`.
 */
export type StepCheckpoint = Fields & ((progress: CheckpointProgress) => Promise<void>);

/** The function with the saved fields on it; as JSON it is those fields, or null. */
export function stepCheckpoint(
  saved: Fields | null,
  save: (progress: CheckpointProgress) => Promise<void>,
): StepCheckpoint {
  const checkpoint = (progress: CheckpointProgress) => save(progress);
  // `name` and `length` of a function can't be assigned, only defined.
  for (const [key, value] of Object.entries({ name: undefined, length: undefined, ...saved })) {
    Object.defineProperty(checkpoint, key, { value, enumerable: saved !== null && key in saved, configurable: true });
  }
  Object.defineProperty(checkpoint, 'toJSON', { value: () => saved });
  return checkpoint as unknown as StepCheckpoint;
}
