import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { type PruneTurn, pruneTurn, takePruneTurn } from '../../store/retention/runs.ts';

/** The lease of a process that died expires after this time. */
export const TURN_MS = 30_000;
const LOOK_MS = 500;

/**
 * Takes the lease for pruning. One process has the lease at a time, so that several together do not exceed their share.
 * An operator takes the lease from the policy, or waits until the lease of a process that died has expired. Returns
 * false if the lease is not available to the policy now.
 * @throws TaskerError `illegal_transition` if another operator prunes
 */
export async function takeTurn(
  database: Database,
  { runner, byPolicy, signal }: { runner: string; byPolicy: boolean; signal: AbortSignal | undefined },
): Promise<boolean> {
  let seen: PruneTurn | undefined;
  for (;;) {
    if (await takePruneTurn(database, { holder: runner, byPolicy, turnMs: TURN_MS })) return true;
    if (byPolicy) return false;
    const other = await pruneTurn(database);
    // A live process extends its lease before it expires.
    if (other && seen?.holder === other.holder && other.leftMs > seen.leftMs) throw runsAlready(other);
    seen = other;
    await sleep(LOOK_MS, undefined, signal && { signal });
  }
}

function runsAlready({ id, actor, startedAt }: PruneTurn): TaskerError {
  const who = id === null ? '' : ` (prune ${id}, by ${actor} since ${startedAt})`;
  return new TaskerError('illegal_transition', `another prune is running${who}; wait until it has ended, or stop it`);
}
