import { randomUUID } from 'node:crypto';
import { linkSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { TaskerError } from '../../errors.ts';
import { readRecord, writeSynced } from './files.ts';
import { isAlive, ownIdentity, pidWorld } from './process-identity.ts';

const HOLDER = z.object({
  pid: z.number(),
  started: z.string(),
  /** Identifies this acquisition of the lock, because one process may acquire it several times. */
  nonce: z.string(),
  /** The pid namespace. Containers that share a folder have different pid namespaces. */
  world: z.string(),
});
type Holder = z.infer<typeof HOLDER>;

const POLL_MS = 10;
const BEAT_MS = 2000;
/** A live holder touches its lock more often than this interval. */
const UNTOUCHED_MS = 4 * BEAT_MS;
const PATIENCE_MS = 180_000;

/** Options of {@link withFileLock}. */
interface LockOptions {
  /**
   * Returns whether a process uses the guarded resource, which delays the takeover of an unreadable lock. Default: no.
   */
  inUse?: () => Promise<boolean>;
}

/**
 * Runs `work` while it holds a lock file, so that no other process or call runs work under the same file. A lock whose
 * holder has died is taken over, as is an unreadable lock. If the guarded resource is in use, the takeover of an
 * unreadable lock waits until its holder has stopped touching it.
 * @throws TaskerError `embedded_failed` if a live holder keeps the lock for three minutes
 */
export async function withFileLock<T>(
  file: string,
  work: () => Promise<T>,
  { inUse = () => Promise.resolve(false) }: LockOptions = {},
): Promise<T> {
  const mine = { ...ownIdentity(), nonce: randomUUID(), world: pidWorld() };
  const prepared = `${file}.new-${mine.nonce}`;
  try {
    writeSynced(prepared, JSON.stringify(mine), { mode: 0o644 });
    await acquire(file, prepared, inUse);
  } finally {
    rmSync(prepared, { force: true });
  }
  const beat = setInterval(() => touch(file), BEAT_MS).unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if (nonceOf(readHolder(file)) === mine.nonce) rmSync(file, { force: true });
  }
}

async function acquire(file: string, prepared: string, inUse: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!tryCreate(file, prepared)) {
    const found = readHolder(file);
    if (found && (await isAbandoned(file, found, inUse)) && (await takeOver(file, found, prepared))) return;
    if (performance.now() > deadline)
      throw new TaskerError(
        'embedded_failed',
        `process ${typeof found === 'object' ? found.pid : 'unknown'} has been starting or stopping the embedded ` +
          `server for ${PATIENCE_MS / 1000} s; end it, or delete ${file} if it is not a tasker process`,
      );
    await pause(POLL_MS);
  }
}

async function isAbandoned(
  file: string,
  found: Holder | 'unreadable',
  inUse: () => Promise<boolean>,
): Promise<boolean> {
  if (found !== 'unreadable') return isDead(file, found);
  return Math.abs(sinceTouched(file)) > UNTOUCHED_MS || !(await inUse());
}

/** Returns whether the holder has died. Checks its pid or, in another container, whether it still touches the lock. */
function isDead(file: string, holder: Holder): boolean {
  if (holder.world === pidWorld()) return !isAlive(holder);
  return sinceTouched(file) > UNTOUCHED_MS;
}

/** Returns the milliseconds since the holder touched the lock: 0 without a file, negative if the clock was set back. */
function sinceTouched(file: string): number {
  const touched = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  return touched === undefined ? 0 : Date.now() - touched;
}

function touch(file: string): void {
  try {
    utimesSync(file, new Date(), new Date());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // the folder was deleted
  }
}

/**
 * Replaces an abandoned lock with the prepared file. If two processes find the same lock abandoned, only one may
 * succeed. So each process acquires a second lock, named after the old holder, and checks again. A new lock is
 * therefore never replaced.
 */
function takeOver(file: string, abandoned: Holder | 'unreadable', prepared: string): Promise<boolean> {
  const nonce = nonceOf(abandoned);
  return withFileLock(`${file}.${nonce}`, () => {
    const same = nonceOf(readHolder(file)) === nonce;
    if (same) {
      touch(prepared);
      renameSync(prepared, file);
    }
    return Promise.resolve(same);
  });
}

/** Creates the lock with its content atomically, so that no other process reads it half written. */
function tryCreate(file: string, prepared: string): boolean {
  try {
    // The prepared file may be minutes old, and a lock that has not been touched for a while looks abandoned.
    touch(prepared);
    linkSync(prepared, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

const readHolder = (file: string) => readRecord(file, HOLDER);

const nonceOf = (found: ReturnType<typeof readHolder>) => (found === 'unreadable' ? found : found?.nonce);
