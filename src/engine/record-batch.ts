import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import { holdRoutes } from '../store/decide.ts';
import { existingSteps } from '../store/expand-tasks.ts';
import { PINNED_PLANS } from '../store/planner.ts';
import { heldSteps } from '../store/read-steps.ts';
import { KIND, type OwnClaim } from '../store/record-steps.ts';
import { lockTasks } from '../store/tasks.ts';
import { beginListsLocked, NO_LISTS } from './for-each/begin-lists.ts';
import { withholdLocked } from './missing-handlers.ts';
import type { Expanding } from './operator-actions.ts';
import { grow, growthOf, type RecordAnswer, type Recording, recordLocked, variantOf } from './record.ts';
import { beginLocked, hasConsequences } from './waits/begin.ts';

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
 * and begins waits. Takes one round trip, or more if the batch has a decision, an analyzer, a wait that may end
 * immediately, or a template with conditions or routes.
 * @throws InDoubtError
 */
export async function record(engine: Expanding, batch: readonly Recording[], own: OwnClaim): Promise<RecordAnswer> {
  if (batch.some(isApart)) return recordWithOthers(engine, batch, own);
  const { database, templates } = engine;
  const taskUuids = [...new Set(batch.map((step) => step.taskUuid))];
  if (!batch.some(makes)) {
    const variant = variantOf(templates, batch);
    const work = async (tx: Db): Promise<RecordAnswer> => {
      const locked = lockTasks(tx, taskUuids);
      const recorded = recordLocked({ tx, templates }, batch, { ...own, variant });
      const [revised, answer] = await Promise.all([locked, recorded]);
      return { ...answer, revised };
    };
    // The decisions depend on the answer to the recording.
    return variant === 'routed' ? database.transaction(RECORDING, work) : database.pipeline(RECORDING, work);
  }
  return database.transaction(RECORDING, async (tx) => {
    const [revised, answer] = await Promise.all([lockTasks(tx, taskUuids), recordMaking(engine, tx, batch, own)]);
    return { ...answer, revised };
  });
}

const begins = ({ kind }: Recording) => kind === KIND.waits;
const isMissed = ({ missed }: Recording) => missed !== undefined;
const hasList = ({ list }: Recording) => list !== undefined;
/** Whether the step is recorded by a statement of its own. */
const isApart = (step: Recording) => begins(step) || isMissed(step) || hasList(step);
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
  const variant = variantOf(templates, batch) === 'routed' ? 'routed' : 'dynamic';
  if (variant === 'routed') grown.push(holdRoutes(tx, tasksThatGrow));
  const [answer] = await Promise.all([recordLocked({ tx, templates }, batch, { ...own, variant }), ...grown]);
  return answer;
}

const NOTHING: Omit<RecordAnswer, 'revised'> = {
  children: [],
  ended: [],
  uncompleted: [],
  refused: [],
  queued: 0,
  recordedAt: undefined,
  decided: [],
  takenFrom: [],
};

/** Records the outcomes, begins the waits, and releases the steps whose worker lacks their handlers. */
async function recordWithOthers(engine: Expanding, batch: readonly Recording[], own: OwnClaim): Promise<RecordAnswer> {
  const { database } = engine;
  const taskUuids = [...new Set(batch.map((step) => step.taskUuid))];
  const [waits, missed, lists] = [batch.filter(begins), batch.filter(isMissed), batch.filter(hasList)];
  const others = batch.filter((step) => !isApart(step));
  const making = others.some(makes);
  const isRouted = variantOf(engine.templates, batch) === 'routed';
  const oneTrip = !making && !isRouted && missed.length === 0 && lists.length === 0 && !waits.some(hasConsequences);
  const work = async (tx: Db): Promise<RecordAnswer> => {
    const locked = lockTasks(tx, taskUuids);
    const recorded = recordOthers(engine, tx, others, own);
    // Waits that end immediately are recorded too, after the others. If the lock fails, that error is reported.
    if (!oneTrip) await Promise.all([locked, recorded]);
    const begun = waits.length > 0 ? beginLocked(engine, tx, waits) : { refused: [], ended: [] };
    const [revised, answer, { refused, ended }] = await Promise.all([locked, recorded, begun]);
    const withheld = missed.length > 0 ? await withholdLocked(tx, missed) : { refused: [], queued: 0 };
    const listed = lists.length > 0 ? await beginListsLocked(engine, tx, lists) : NO_LISTS;
    return {
      ...answer,
      revised,
      refused: refusedIn(batch, [
        { of: (step) => !isApart(step), refused: answer.refused },
        { of: begins, refused },
        { of: isMissed, refused: withheld.refused },
        { of: hasList, refused: listed.refused },
      ]),
      ended: [...answer.ended, ...ended.flatMap(({ task }) => task ?? []), ...listed.ended],
      queued: answer.queued + ended.filter(({ queued }) => queued).length + withheld.queued + listed.queued,
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
  return recordLocked({ tx, templates }, others, { ...own, variant: variantOf(templates, others) });
}

/** Steps of a batch that are recorded together, and the positions of the rejected ones among them. */
interface Part {
  of(step: Recording): boolean;
  refused: readonly number[];
}

/** Returns the positions of rejected steps in the batch, from their positions in the parts. */
function refusedIn(batch: readonly Recording[], parts: readonly Part[]): number[] {
  const positions = parts.flatMap(({ of, refused }) => {
    const own = batch.flatMap((step, i) => (of(step) ? [i] : []));
    return refused.map((position) => own[position]!);
  });
  return positions.sort((a, b) => a - b);
}
