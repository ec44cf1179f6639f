import type { Database } from '../db/database.ts';
import type { Db } from '../db/statement.ts';
import { abilityOf, type Candidate, isServed } from '../model/announced.ts';
import {
  anyMissing,
  changeMissing,
  forgetMissing,
  liveAnnouncements,
  type MissedHandler,
  type MissingHandlerRow,
  missingHandlers,
  type NeededHandler,
  noteMissing,
  settleMissing,
  tidyWithheld,
  withholdSteps,
} from '../store/missing-handlers.ts';
import { lockMoves, type Stretch, vacuumQueue } from '../store/pauses/pauses.ts';
import { usualPartsOf, withheldPartOf } from '../store/queue-id.ts';
import { announcedElsewhere } from '../store/workers.ts';
import { FIRST_PLACE, MANY_MOVED, MOVING, moveAll, STRETCH } from './move-steps.ts';
import type { Missed, Recording } from './record.ts';

/** How long a handler that no withheld step needs is remembered. */
const REMEMBERED_MS = 3_600_000;

/** The position of a handler among others, as text. */
function keyOf({ namespace, callable, resolver }: NeededHandler): string {
  return JSON.stringify([namespace, callable, resolver]);
}

/**
 * Releases steps in locked tasks whose worker lacks their handlers. If no other live worker can be given a step, it goes
 * to a part of the queue that no claim reads. Returns the positions of rejected steps, and the number of steps that a
 * worker can claim.
 */
export async function withholdLocked(
  tx: Db,
  batch: readonly Recording[],
): Promise<{ refused: number[]; queued: number }> {
  // A worker moves the steps back only after its announcement is committed, and under this lock. So either the
  // announcement is visible now, or the worker moves what this transaction adds.
  await lockMoves(tx);
  const handlers = new Map(batch.map(({ missed }) => [keyOf(missed!), missed!]));
  const noted: MissedHandler[] = [];
  for (const missed of handlers.values()) {
    const state = await stateOf(tx, missed);
    if (state) noted.push({ ...missed, ...state });
  }
  if (noted.length > 0) await noteMissing(tx, noted);
  const { accepted, queued } = await withholdSteps(tx, batch);
  return { refused: batch.flatMap((_, i) => (accepted.has(i) ? [] : [i])), queued };
}

/** Returns what to store about a missed handler. Undefined if another live worker has it. */
async function stateOf(tx: Db, missed: Missed): Promise<Pick<MissedHandler, 'state' | 'triedBy'> | undefined> {
  const { own, workers, tried } = await announcedElsewhere(tx, missed);
  if (workers.some(({ ability }) => ability === 'has')) return undefined;
  return { state: isServed(workers, tried) ? 'offered' : 'withheld', triedBy: missed.hasTried ? own : null };
}

/**
 * Gives the steps of missing handlers to live workers that announce them: for as long as a worker has the handler, and once
 * to each worker that may find it through a resolver. Then updates the queue to match, also for a process that died
 * before it did so. Returns the number of steps that workers can claim now, and the smallest rank among them.
 */
export async function offerSteps(database: Database): Promise<{ steps: number; rank: number | null }> {
  if (!(await anyMissing(database))) return { steps: 0, rank: null };
  await database.transaction(MOVING, async (tx) => {
    await lockMoves(tx);
    const [handlers, workers] = [await missingHandlers(tx), await liveAnnouncements(tx)];
    const changes = handlers.flatMap((handler) => {
      const candidates: Candidate[] = workers
        .filter(({ namespaces }) => namespaces.includes(handler.namespace))
        .map(({ instance, callables }) => ({ instance, ability: abilityOf(callables, handler) }));
      const state = candidates.some(({ ability }) => ability === 'has')
        ? ('served' as const)
        : handler.state === 'withheld' && isServed(candidates, handler.tried)
          ? ('offered' as const)
          : handler.state;
      return state === handler.state ? [] : [{ id: handler.id, state }];
    });
    if (changes.length > 0) await changeMissing(tx, changes);
  });
  return settleSteps(database);
}

/** Moves the steps of missing handlers whose state changed to their part of the queue. */
export async function settleSteps(database: Database): Promise<{ steps: number; rank: number | null }> {
  const open = (await missingHandlers(database)).filter(({ settled }) => !settled);
  let steps = 0;
  let rank: number | null = null;
  let moved = 0;
  for (const part of partsToRead(open)) {
    const done = await moveAll(database, part);
    moved += done.steps;
    if (part > 0 || done.rank === null) continue;
    steps += done.steps;
    rank = Math.min(rank ?? done.rank, done.rank);
  }
  if (open.length > 0) await settleMissing(database, open);
  if (moved >= MANY_MOVED) await vacuumQueue(database).catch(() => undefined); // autovacuum removes the rows later
  return { steps, rank };
}

/** The parts of the queue that may have steps of these handlers that belong elsewhere. */
function partsToRead(handlers: readonly MissingHandlerRow[]): Set<number> {
  const parts = handlers.flatMap(({ namespaceId, state }) =>
    usualPartsOf(namespaceId).map((part) => (state === 'withheld' ? part : withheldPartOf(part))),
  );
  return new Set(parts);
}

/** Removes withheld steps that were cancelled or settled, and handlers that no step needs any more. */
export async function tidyMissing(database: Database): Promise<void> {
  if (!(await anyMissing(database))) return;
  const handlers = await missingHandlers(database);
  const namespaces = new Set(handlers.map(({ namespaceId }) => namespaceId));
  for (const id of namespaces) {
    for (const queueId of usualPartsOf(id).map(withheldPartOf)) {
      let after: typeof FIRST_PLACE | undefined = FIRST_PLACE;
      while (after) {
        const stretch: Stretch = { queueId, after, limit: STRETCH };
        after = await database.transaction(MOVING, async (tx) => {
          await lockMoves(tx);
          return tidyWithheld(tx, stretch);
        });
      }
    }
  }
  await database.transaction(MOVING, async (tx) => {
    await lockMoves(tx);
    await forgetMissing(tx, REMEMBERED_MS);
  });
}
