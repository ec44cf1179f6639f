import { opening } from '../../db/opening.ts';
import { childrenAmong, type OpenChild, settleChildren } from '../../store/child-tasks.ts';
import { getTasks } from '../../store/tasks.ts';
import { openWaits } from '../../store/waits/read.ts';
import type { Expanding } from '../operator-actions.ts';
import { ENDING_LIMITS, endLocked } from '../waits/end.ts';
import type { DueRule, EndedWait, OpenWait, WaitEnding } from '../waits/waits.ts';
import { withFreeTasks } from '../with-free-tasks.ts';
import { endsOfLists } from './lists.ts';
import { type ChildOutcome, GONE, outcomesOf } from './outcomes.ts';
import { endOfChildUndo } from './undo.ts';

/** Maximum number of ends in one transaction. */
export const ENDS_IN_A_TRANSACTION = 100;

/** Number of children whose results are read together. */
const READ_TOGETHER = 5;
/** Results of this size in one transaction are enough. The other children are left for a later call. */
const MOST_BYTES = 32 * 1024 * 1024;

const SETTINGS = opening({ ...ENDING_LIMITS, lock_timeout: '2s' });

/**
 * Completes or fails the steps that wait for these children, which have ended. Tasks that other transactions have locked
 * are left for a later call. Returns the ended waits, to be announced, and the children that are settled.
 */
export async function deliverEnds(
  engine: Expanding,
  children: readonly OpenChild[],
): Promise<{ ended: EndedWait[]; settled: string[] }> {
  const tasks = [...new Set(children.flatMap(({ childUuid, parentUuid }) => [childUuid, parentUuid]))];
  const delivered = await withFreeTasks(engine.database, { settings: SETTINGS, tasks }, async (tx, free) => {
    const locked = new Set(free);
    // Read under the lock: a rerun may have started a child again, and an operator may have acted on its parent.
    const now = await childrenAmong(
      tx,
      children.map(({ childUuid }) => childUuid),
    );
    const isLocked = ({ childUuid, parentUuid, gone }: OpenChild) =>
      locked.has(parentUuid) && (gone || locked.has(childUuid));
    const ready = now.filter((child) => isLocked(child) && isToDeliver(child));
    // Each step once, because the settings of a wait for several children are large.
    const parents = new Map(
      ready.map(({ parentUuid: taskUuid, idx }) => [`${taskUuid}/${idx}`, { taskUuid, idx }] as const),
    );
    const waits = await openWaits(tx, [...parents.values()]);
    const byKey = new Map(waits.map((wait) => [`${wait.taskUuid}/${wait.idx}`, wait]));
    const ends: WaitEnding[] = [];
    const settled: OpenChild[] = [];
    const undone = ready.filter(({ undoAttempt }) => undoAttempt !== null);
    const states = new Map(
      (
        await getTasks(
          tx,
          undone.map(({ childUuid }) => childUuid),
        )
      ).map(({ taskUuid, status }) => [taskUuid, status]),
    );
    for (const child of undone) {
      const wait = byKey.get(`${child.parentUuid}/${child.idx}`);
      if (!wait) continue;
      ends.push(endOfChildUndo(wait, states.get(child.childUuid) ?? null));
      settled.push(child);
    }
    const single = ready.filter(({ keyed, undoAttempt }) => !keyed && undoAttempt === null);
    for (let i = 0, bytes = 0; i < single.length && bytes < MOST_BYTES; i += READ_TOGETHER) {
      const some = single.slice(i, i + READ_TOGETHER);
      const outcomes = await outcomesOf(
        engine,
        tx,
        some.map(({ childUuid }) => childUuid),
      );
      for (const child of some) {
        const { childUuid, parentUuid, idx } = child;
        const wait = byKey.get(`${parentUuid}/${idx}`);
        if (!wait) continue;
        const outcome = outcomes.get(childUuid)!;
        bytes += JSON.stringify(outcome.output).length;
        ends.push(endingOf(wait, outcome));
        settled.push(child);
      }
    }
    const keyed = ready.filter((child) => child.keyed && child.undoAttempt === null);
    for (const child of keyed) settled.push(child);
    await settleChildren(tx, settled);
    const lists = new Set(keyed.flatMap(({ parentUuid, idx }) => byKey.get(`${parentUuid}/${idx}`) ?? []));
    for (const end of await endsOfLists(engine, tx, [...lists])) ends.push(end);
    const ended = await endLocked(engine, tx, ends);
    return { ended: ended.filter((wait) => wait !== undefined), settled: settled.map(({ childUuid }) => childUuid) };
  });
  return delivered ?? { ended: [], settled: [] };
}

/** Returns whether a child has ended or no longer exists. */
export function hasEnded({ ended, gone }: Pick<OpenChild, 'ended' | 'gone'>): boolean {
  return ended || gone;
}

/** Returns whether the end of a child is to be delivered. A child may have ended before it was to be undone. */
export function isToDeliver(child: OpenChild): boolean {
  if (!hasEnded(child) || !child.awaited) return false;
  return child.undoAttempt === null || child.gone || child.undone === true || child.begun === true;
}

/** Returns whether the undo of a child is to begin. */
export function isToUndo(child: OpenChild): boolean {
  if (child.undoAttempt === null || !child.awaited || isToDeliver(child)) return false;
  return child.ended || child.undoing === false;
}

/** Returns how the wait of a `task` step ends. */
function endingOf(wait: OpenWait, { state, output, error }: ChildOutcome): WaitEnding {
  const { task_uuid: taskUuid, on_failure: onFailure } = wait.settings;
  if (onFailure === 'continue') {
    return { wait, by: 'child', kind: 'completed', result: { task_uuid: taskUuid, state, output, error } };
  }
  if (error) return { wait, by: 'child', kind: 'permanent', error: { message: error.message, error_type: error.type } };
  return { wait, by: 'child', kind: 'completed', result: output };
}

/** Ends the wait of a `task` step at its limit. */
export const endChildWait: DueRule = async (tx, wait, engine) => {
  const child = String(wait.settings.task_uuid);
  const [row] = await getTasks(tx, [child]);
  const message = `child task ${child} (${templateOfWait(wait)}) had not ended by ${wait.until}`;
  const error = { type: 'wait_timeout', message };
  // The child may have ended since, but its end was not delivered yet.
  const outcome = row?.completedAt ? (await outcomesOf(engine, tx, [child])).get(child)! : undefined;
  const ending = endingOf(wait, outcome ?? { state: row?.status ?? GONE, output: null, error });
  return outcome ? ending : { ...ending, by: 'timeout' };
};

function templateOfWait({ settings }: Pick<OpenWait, 'settings'>): string {
  return `${String(settings.namespace)}/${String(settings.name)}`;
}
