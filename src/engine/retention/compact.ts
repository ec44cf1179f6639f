import { setTimeout as sleep } from 'node:timers/promises';
import { isLockTimeout } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import type { Session } from '../../db/session.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { noteAct } from '../../store/audit.ts';
import {
  nextTransaction,
  olderSnapshot,
  prepareCompacting,
  reindexTable,
  rewriteTable,
  spaceOfTable,
  type TableSpace,
  tableSpaces,
  vacuumTable,
} from '../../store/retention/compaction.ts';
import { type OperatorOptions, operatorOf } from '../operator-actions.ts';

/** The operation of a compaction on one table. */
export interface TableCompaction extends TableSpace {
  /** `rewrite` locks the table completely. `reindex` and `vacuum` let workers continue. */
  action: 'rewrite' | 'reindex' | 'vacuum';
  /** An estimate of the bytes that are free within the table. */
  freeBytes: number;
  /** An estimate of the time for which the table is locked, in milliseconds. */
  lockedMs: number;
}

/** The outcome for a table. */
export interface CompactedTable {
  table: string;
  action: TableCompaction['action'];
  before: number;
  after: number;
  ms: number;
  /** Why it was not compacted; null if it was. */
  why: string | null;
}

/** The lock under which one process compacts at a time. */
const LOCK_ID = 7_303_014_011;
/** How long a compaction waits for its lock. Meanwhile, every other statement that needs the table waits behind it. */
const LOCK_MS = 2_000;
const LOCK_TRIES = 15;
const LOCK_PAUSE_MS = 2_000;
/** How long a rewrite waits for the end of transactions that see the deleted rows. */
const SNAPSHOT_MS = 10_000;
const SNAPSHOT_PAUSE_MS = 100;
/** A table is rewritten if at least this fraction of it and this many bytes are free. */
const FREE_PART = 0.2;
const FREE_BYTES = 8_000_000;
/** Smaller indexes are not worth rewriting. */
const INDEX_BYTES = 8_000_000;
/** The rate at which a slow disk rewrites a table and builds its indexes. */
const BYTES_PER_MS = 25_000;

/** Plans a compaction of all tables, the largest first. @throws TaskerError `database_error` if the user may not compact */
export async function planCompaction(database: Database, { full }: { full: boolean }): Promise<TableCompaction[]> {
  const spaces = await tableSpaces(database);
  const foreign = spaces.find(({ mine }) => !mine);
  if (foreign) {
    throw new TaskerError(
      'database_error',
      `this user does not own tasker.${foreign.table}, and only the owner of a table can compact it; connect as the user that migrates`,
    );
  }
  return spaces.map((space) => {
    const freeBytes = Math.max(0, Math.round(space.bytes - space.liveBytes));
    const worth = freeBytes >= FREE_BYTES && freeBytes >= space.bytes * FREE_PART;
    const indexed = space.indexBytes >= INDEX_BYTES ? 'reindex' : 'vacuum';
    const action = full && worth ? 'rewrite' : indexed;
    const lockedMs = action === 'rewrite' ? (space.bytes - freeBytes + space.indexBytes) / BYTES_PER_MS : 0;
    return { ...space, action, freeBytes, lockedMs: Math.round(lockedMs) };
  });
}

/** Compacts tables one after the other. A table that other transactions keep locked is left unchanged. */
export async function compactTables(
  database: Database,
  tables: readonly TableCompaction[],
  {
    done,
    signal,
    ...options
  }: OperatorOptions & { done(table: CompactedTable): void; signal?: AbortSignal | undefined },
): Promise<CompactedTable[]> {
  const operator = operatorOf(options);
  const compacted = await database.exclusively(LOCK_ID, async (session) => {
    await prepareCompacting(session, LOCK_MS);
    const waits = { since: await nextTransaction(session), until: performance.now() + SNAPSHOT_MS };
    const all: CompactedTable[] = [];
    for (const table of tables) {
      signal?.throwIfAborted();
      const kept = table.action === 'rewrite' ? await rowsKept(session, waits, signal) : null;
      const one = await compactOne(session, table, kept, signal);
      all.push(one);
      done(one);
    }
    return all;
  });
  const freed = compacted.reduce((sum, { before, after }) => sum + before - after, 0);
  const rewritten = compacted.filter(({ action, why }) => action === 'rewrite' && why === null);
  const details = JSON.stringify({ freed_bytes: freed, rewritten: rewritten.map(({ table }) => table) });
  await noteAct(database, { action: 'compact', target: 'database', details }, operator);
  return compacted;
}

/**
 * Waits for the end of older transactions. Returns a reason if a rewrite would keep the deleted rows, because such a
 * transaction is still open.
 */
async function rowsKept(
  session: Session,
  { since, until }: { since: string; until: number },
  signal: AbortSignal | undefined,
): Promise<string | null> {
  for (;;) {
    const older = await olderSnapshot(session, since);
    if (!older) return null;
    if (performance.now() > until) {
      const name = older.application === '' ? '' : ` (${older.application})`;
      const age = older.ageMs === null ? '' : `, open for ${Math.round(older.ageMs / 1000)} s,`;
      return `a transaction of the process ${older.pid}${name}${age} still sees the deleted rows, so a rewrite would free nothing; run the command again after it has ended`;
    }
    await sleep(SNAPSHOT_PAUSE_MS, undefined, signal && { signal });
  }
}

async function compactOne(
  session: Session,
  { table, action }: TableCompaction,
  kept: string | null,
  signal: AbortSignal | undefined,
): Promise<CompactedTable> {
  const began = performance.now();
  const before = await spaceOfTable(session, table);
  if (kept !== null) return { table, action, before, after: before, ms: 0, why: kept };
  const run = { rewrite: rewriteTable, reindex: reindexTable, vacuum: vacuumTable }[action];
  let why: string | null = null;
  for (let tries = 1; ; tries++) {
    try {
      // Dead rows are removed first, so that the new index does not contain them.
      if (action === 'reindex') await vacuumTable(session, table);
      await run(session, table);
      break;
    } catch (error) {
      why = messageOf(error);
      if (!isLockTimeout(error) || tries === LOCK_TRIES) break;
      why = null;
      await sleep(LOCK_PAUSE_MS, undefined, signal && { signal });
    }
  }
  const after = await spaceOfTable(session, table);
  return { table, action, before, after, ms: Math.round(performance.now() - began), why };
}
