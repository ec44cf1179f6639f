import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import { existingSteps } from '../store/expand-tasks.ts';
import { PINNED_PLANS } from '../store/planner.ts';
import { heldSteps } from '../store/read-steps.ts';
import { KIND, type OwnClaim } from '../store/record-steps.ts';
import { lockTasks } from '../store/tasks.ts';
import type { Expanding } from './operate.ts';
import { grow, growthOf, isDynamic, type RecordAnswer, type Recording, recordLocked } from './record.ts';
import { beginLocked, mayEndAtOnce } from './waits/begin.ts';

const RECORDING = opening({
  ...PINNED_PLANS,
  statement_timeout: '60s',
  // A transaction that keeps one task locked must not delay the other tasks of the recording.
  lock_timeout: '1s',
  // A worker that freezes between lock and commit must not keep its tasks locked forever.
  idle_in_transaction_session_timeout: '30s',
});

/**
 * Records outcomes in one transaction: locks the tasks, adds the steps that results create, records, claims children,
 * and begins waits. Takes one round trip, or two if the batch has a decision, an analyzer, or a wait that may end
 * immediately.
 * @throws InDoubtError
 */
export async function record(engine: Expanding, batch: readonly Recording[], own: OwnClaim): Promise<RecordAnswer> {
  if (batch.some(begins)) return recordWithWaits(engine, batch, own);
  const { database, templates } = engine;
  const taskUuids = [...new Set(batch.map((step) => step.taskUuid))];
  const making = batch.filter(makes);
  if (making.length === 0) {
    return database.pipeline(RECORDING, async (tx) => {
      const locked = lockTasks(tx, taskUuids);
      const recorded = recordLocked({ tx, templates }, batch, { ...own, dynamic: isDynamic(templates, batch) });
      const [revised, answer] = await Promise.all([locked, recorded]);
      return { ...answer, revised };
    });
  }
  return database.transaction(RECORDING, async (tx) => {
    const [revised, answer] = await Promise.all([lockTasks(tx, taskUuids), recordMaking(engine, tx, batch, own)]);
    return { ...answer, revised };
  });
}

const begins = ({ kind }: Recording) => kind === KIND.waits;
const makes = ({ expansion }: Recording) => expansion !== undefined;

/** Records outcomes, some of which create steps. The caller sends the statement that locks the tasks first. */
async function recordMaking(
  { templates }: Expanding,
  tx: Db,
  batch: readonly Recording[],
  own: OwnClaim,
): Promise<Omit<RecordAnswer, 'revised'>> {
  const making = batch.filter(makes);
  const tasksThatGrow = [...new Set(making.map((step) => step.taskUuid))];
  const [existing, held] = await Promise.all([existingSteps(tx, tasksThatGrow), heldSteps(tx, making)]);
  // A rejected result creates no steps. So another result in the batch can create the steps that both name.
  const accepted = making.filter((_, i) => held.has(i));
  const grown = accepted.length > 0 ? grow(tx, growthOf(templates, accepted, existing)) : [];
  const [answer] = await Promise.all([recordLocked({ tx, templates }, batch, { ...own, dynamic: true }), ...grown]);
  return answer;
}

const NOTHING: Omit<RecordAnswer, 'revised'> = {
  children: [],
  ended: [],
  uncompleted: [],
  refused: [],
  queued: 0,
  recordedAt: undefined,
  takenFrom: [],
};

/** Records the outcomes, and begins the waits. */
async function recordWithWaits(engine: Expanding, batch: readonly Recording[], own: OwnClaim): Promise<RecordAnswer> {
  const { database } = engine;
  const taskUuids = [...new Set(batch.map((step) => step.taskUuid))];
  const [waits, others] = [batch.filter(begins), batch.filter((step) => !begins(step))];
  const making = others.some(makes);
  const oneTrip = !making && !waits.some(mayEndAtOnce);
  const work = async (tx: Db): Promise<RecordAnswer> => {
    const locked = lockTasks(tx, taskUuids);
    const recorded = recordOthers(engine, tx, others, own);
    // Waits that end immediately are recorded too, after the others. If the lock fails, that error is reported.
    if (!oneTrip) await Promise.all([locked, recorded]);
    const [revised, answer, begun] = await Promise.all([locked, recorded, beginLocked(engine, tx, waits)]);
    const { ended } = begun;
    return {
      ...answer,
      revised,
      refused: refusedIn(batch, answer.refused, begun.refused),
      ended: [...answer.ended, ...ended.flatMap(({ task }) => task ?? [])],
      queued: answer.queued + ended.filter(({ queued }) => queued).length,
      takenFrom: [...answer.takenFrom, ...ended.flatMap((wait) => (wait.takenFrom ? [wait.taskUuid] : []))],
    };
  };
  return oneTrip ? database.pipeline(RECORDING, work) : database.transaction(RECORDING, work);
}

async function recordOthers(
  engine: Expanding,
  tx: Db,
  others: readonly Recording[],
  own: OwnClaim,
): Promise<Omit<RecordAnswer, 'revised'>> {
  if (others.length === 0) return NOTHING;
  if (others.some(makes)) return recordMaking(engine, tx, others, own);
  const { templates } = engine;
  return recordLocked({ tx, templates }, others, { ...own, dynamic: isDynamic(templates, others) });
}

/** Returns the positions of rejected steps in the batch, from their positions among the waits and among the others. */
function refusedIn(batch: readonly Recording[], others: readonly number[], waits: readonly number[]): number[] {
  const refused = { others: new Set(others), waits: new Set(waits) };
  const seen = { others: 0, waits: 0 };
  return batch.flatMap((step, i) => {
    const list = begins(step) ? 'waits' : 'others';
    return refused[list].has(seen[list]++) ? [i] : [];
  });
}
