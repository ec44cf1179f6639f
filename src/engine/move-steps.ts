import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import { lockMoves, moveSteps, type Stretch } from '../store/pauses/pauses.ts';
import { QUEUE_ORDER } from '../store/planner.ts';

/** Settings for moving steps between the parts of the queue. */
export const MOVING = opening({
  ...QUEUE_ORDER,
  lock_timeout: '30s',
  statement_timeout: '60s',
  idle_in_transaction_session_timeout: '30s',
});
/** Maximum number of rows of the queue that one transaction reads. */
export const STRETCH = 10_000;
/**
 * After this many steps have moved, dead rows at the head of the queue would slow down claims until the next vacuum.
 */
export const MANY_MOVED = 5_000;
/** A place before the first row of a part of the queue. */
export const FIRST_PLACE: Stretch['after'] = { rank: -32_768, id: 0 };

/**
 * Moves the steps that are in one part of the queue but belong to another part. Returns their number, and the smallest
 * rank among them.
 */
export async function moveAll(database: Database, queueId: number): Promise<{ steps: number; rank: number | null }> {
  let steps = 0;
  let rank: number | null = null;
  let after: Stretch['after'] | undefined = FIRST_PLACE;
  while (after) {
    const stretch: Stretch = { queueId, after, limit: STRETCH };
    const moved = await database.transaction(MOVING, async (tx) => {
      await lockMoves(tx);
      return moveSteps(tx, stretch);
    });
    steps += moved.moved;
    rank ??= moved.rank;
    after = moved.next;
  }
  return { steps, rank };
}
