import type { Fields } from '../../model/json.ts';
import { misuse, shown } from '../misuse.ts';
import { StepHandlerResult } from '../step-handler.ts';
import { count } from './cursor-config.ts';

/** The progress of a step. */
export interface Checkpoint {
  /** The position to resume from: any JSON value. */
  cursor: unknown;
  /** Items processed so far, since the beginning of the step. Default 0. */
  itemsProcessed?: number;
  /** Intermediate results. */
  accumulatedResults?: Fields;
}

/** The argument forms: one object, or all by position. */
export type CheckpointArguments =
  | [checkpoint: Checkpoint]
  | [cursor: unknown, itemsProcessed: number, accumulatedResults?: Fields];

/**
 * Returns an intermediate result. When a handler returns this result, the step's progress is saved and the handler is
 * called again, which does not count as an attempt. `context.checkpoint` and the batch context then hold the saved
 * progress, as they do after a crash or a failure.
 *
 * @example
 * if (next < end) return checkpointYield({ cursor: next, itemsProcessed: next - start, accumulatedResults: { sum } });
 */
export function checkpointYield(...args: CheckpointArguments): StepHandlerResult {
  const { cursor, itemsProcessed = 0, accumulatedResults } = checkpointOf(args);
  if (cursor === undefined || cursor === null)
    throw misuse('checkpointYield: cursor is missing; pass the position to resume from');
  if (accumulatedResults != null && (typeof accumulatedResults !== 'object' || Array.isArray(accumulatedResults))) {
    throw misuse(`checkpointYield: accumulatedResults must be an object, not ${shown(accumulatedResults)}`);
  }
  const result = {
    type: 'checkpoint_yield',
    cursor,
    items_processed: count('checkpointYield', 'itemsProcessed', itemsProcessed),
    ...(accumulatedResults == null ? {} : { accumulated_results: accumulatedResults }),
  };
  return StepHandlerResult.success(result, { checkpoint_yield: true, batch_worker: true });
}

/**
 * Returns the arguments as an object. A cursor can be an object too, but a single object is read as the object form.
 */
function checkpointOf(args: CheckpointArguments): Partial<Checkpoint> {
  const [first, itemsProcessed, accumulatedResults] = args;
  if (args.length === 1 && typeof first === 'object' && first !== null) return first;
  return { cursor: first, itemsProcessed, accumulatedResults };
}
