import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { TaskerError } from '../../errors.ts';
import { isAlive, ownIdentity, type ProcessIdentity, pidWorld } from './process-identity.ts';

interface Holder extends ProcessIdentity {
  /** Names this one taking of the lock, so that two takings by one process differ. */
  nonce: string;
  /** In which world its pid has a meaning: containers that share a folder have each their own. */
  world: string;
}

const POLL_MS = 10;
const BEAT_MS = 2000;
const PATIENCE_MS = 180_000;

/**
 * Runs `work` while no other process (and no other call in this one) runs work under the same file.
 * A lock whose holder died is taken over. Throws `embedded_failed` when a live holder keeps it for three minutes.
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const mine = { ...ownIdentity(), nonce: randomUUID(), world: pidWorld() };
  await acquire(file, mine);
  const beat = setInterval(() => touch(file), BEAT_MS).unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if (readHolder(file)?.nonce === mine.nonce) rmSync(file, { force: true });
  }
}

async function acquire(file: string, mine: Holder): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!tryCreate(file, mine)) {
    const holder = readHolder(file);
    if (holder && isDead(file, holder) && (await takeOver(file, holder, mine))) return;
    if (performance.now() > deadline)
      throw new TaskerError(
        'embedded_failed',
        `process ${holder?.pid ?? 'unknown'} has been starting or stopping the embedded server for ` +
          `${PATIENCE_MS / 1000} s; end it, or delete ${file} if it is not a tasker process`,
      );
    await pause(POLL_MS);
  }
}

/** A process is asked for by its pid; one in another container is believed as long as it touches its lock. */
function isDead(file: string, holder: Holder): boolean {
  if (holder.world === pidWorld()) return !isAlive(holder);
  const touched = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  return touched !== undefined && Date.now() - touched > 4 * BEAT_MS;
}

function touch(file: string): void {
  try {
    utimesSync(file, new Date(), new Date());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // the folder was deleted
  }
}

/**
 * Puts `mine` in the place of a dead holder. Two who both see it dead must not both succeed: whoever may look
 * again and replace is decided by a lock named for that one holder, so a fresh lock is never mistaken for it.
 */
function takeOver(file: string, dead: Holder, mine: Holder): Promise<boolean> {
  return withFileLock(`${file}.${dead.nonce}`, async () => {
    if (readHolder(file)?.nonce !== dead.nonce) return false;
    const prepared = prepare(file, mine);
    renameSync(prepared, file);
    return true;
  });
}

/** Creates the lock with its content in one act, so that nobody reads it half written. */
function tryCreate(file: string, mine: Holder): boolean {
  const prepared = prepare(file, mine);
  try {
    linkSync(prepared, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(prepared, { force: true });
  }
}

function prepare(file: string, mine: Holder): string {
  const prepared = `${file}.new-${mine.nonce}`;
  writeFileSync(prepared, JSON.stringify(mine), { mode: 0o644 });
  return prepared;
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
