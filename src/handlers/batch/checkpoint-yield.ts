import type { Fields } from '../../model/fields.ts';
import { misuse, shown } from '../misuse.ts';
import { StepHandlerResult } from '../step-handler.ts';
import { count } from './cursor-config.ts';

/** How far a step has come. */
export interface Checkpoint {
  /** Where it goes on: any JSON. */
  cursor: unknown;
  /** Items done so far, counted from the step's beginning; default 0. */
  itemsProcessed?: number;
  /** What it has gathered so far. */
  accumulatedResults?: Fields;
}

/** The ways to write it: in one object, or by position. */
export type CheckpointArguments =
  | [checkpoint: Checkpoint]
  | [cursor: unknown, itemsProcessed: number, accumulatedResults?: Fields];

/**
 * A result that is no end: returned by a handler it saves how far the step has come, and the handler is called again,
 * without an attempt being spent. `context.checkpoint` and the batch context then have what was saved, as they do after
 * a crash or a failure.
 *
 * @example
 * if (next < end) return checkpointYield({ cursor: next, itemsProcessed: next - start, accumulatedResults: { sum } });
 */
export function checkpointYield(...args: CheckpointArguments): StepHandlerResult {
  const { cursor, itemsProcessed = 0, accumulatedResults } = checkpointOf(args);
  if (cursor === undefined || cursor === null)
    throw misuse('checkpointYield: the cursor says where to go on; it is missing');
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

/** A cursor may be an object too; one object alone is the object form. */
function checkpointOf(args: CheckpointArguments): Partial<Checkpoint> {
  const [first, itemsProcessed, accumulatedResults] = args;
  if (args.length === 1 && typeof first === 'object' && first !== null) return first;
  return { cursor: first, itemsProcessed, accumulatedResults };
}
