import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { noteAct } from '../../store/audit.ts';
import {
  type BulkAction,
  type BulkRow,
  type BulkState,
  findBulkRequest,
  getBulk,
  listBulks,
  stopBulk,
} from '../../store/bulk/bulks.ts';
import { countPaused, type LeftItemRow, listItems } from '../../store/bulk/items.ts';
import type { Operator } from '../../store/operator-actions.ts';
import type { TaskFilter } from '../search/filter.ts';
import { CHUNK } from './chunk.ts';

/** A bulk action and its progress. */
export interface BulkSummary {
  id: number;
  action: BulkAction;
  /** `interrupted`: its process has not worked on it for half a minute. `stopped` and `interrupted` can be resumed. */
  state: BulkState | 'interrupted';
  /** Null if the items were listed individually. */
  filter: TaskFilter | null;
  actor: string;
  reason: string | null;
  door: string;
  matched: number;
  done: number;
  skippedCount: number;
  failedCount: number;
  createdAt: string;
  startedAt: string | null;
  /** When a process last worked on it. */
  seenAt: string;
  endedAt: string | null;
}

/** A bulk action with the items that were skipped or failed, at most 1,000 of each kind. */
export interface BulkReport extends BulkSummary {
  /** Number of tasks that were acted on and are covered by a pause now. At most 100,000; 0 until the action has ended. */
  paused: number;
  skipped: LeftItemRow[];
  failed: LeftItemRow[];
}

const LISTED = 1_000;

function summaryOf({ filter, skipped, failed, silent, result: _, ...row }: BulkRow): BulkSummary {
  return {
    ...row,
    state: row.state === 'running' && silent ? 'interrupted' : row.state,
    filter: filter === null ? null : (JSON.parse(filter) as TaskFilter),
    skippedCount: skipped,
    failedCount: failed,
  };
}

function checkId(id: number): number {
  if (Number.isSafeInteger(id) && id > 0) return id;
  throw new TaskerError('bad_request', `the id of a bulk action must be a whole number, got ${String(id)}`);
}

function bulkNotFound(id: number): TaskerError {
  return new TaskerError('bulk_not_found', `bulk action ${id} not found; \`tasker bulk list\` lists them`);
}

/** Returns the row of a bulk action. @throws TaskerError `bulk_not_found`, `bad_request` */
export async function findBulk(database: Database, id: number): Promise<BulkRow> {
  const row = await getBulk(database, checkId(id));
  if (!row) throw bulkNotFound(id);
  return row;
}

/**
 * Returns a bulk action with the items that were skipped or failed. @throws TaskerError `bulk_not_found`, `bad_request`
 */
export async function reportOf(database: Database, id: number): Promise<BulkReport> {
  const row = await findBulk(database, id);
  const [paused, skipped, failed] = await Promise.all([
    row.state === 'done' && row.done > 0 ? countPaused(database, id, 'done') : 0,
    row.skipped > 0 ? listItems(database, id, { outcome: 'skipped', limit: LISTED }) : [],
    row.failed > 0 ? listItems(database, id, { outcome: 'failed', limit: LISTED }) : [],
  ]);
  return { ...summaryOf(row), paused, skipped, failed };
}

/** Returns bulk actions, newest first. @throws TaskerError `bad_request` */
export async function summaries(
  database: Database,
  { before = Number.MAX_SAFE_INTEGER, limit = 50 }: { before?: number | undefined; limit?: number | undefined },
): Promise<BulkSummary[]> {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  }
  return (await listBulks(database, { before: checkId(before), limit })).map(summaryOf);
}

/** Stops a bulk action after the transaction in progress. Returns false if it is not running. */
export async function stopOne(database: Database, id: number, operator: Operator): Promise<boolean> {
  await findBulk(database, id);
  return database.transaction(CHUNK, async (tx) => {
    const stopped = await stopBulk(tx, id, null);
    if (stopped) await noteAct(tx, { action: 'bulk_stop', target: `bulk ${id}` }, { ...operator, bulkId: id });
    return stopped;
  });
}

/** Returns the bulk action that a request with this key began, and the SHA-256 of the request in hex. */
export function begunBy(
  database: Database,
  request: { actor: string; key: string },
): Promise<{ id: number; hash: string } | undefined> {
  return findBulkRequest(database, request);
}
