import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { TaskerError } from '../../errors.ts';
import { checkUuid } from '../../model/ids.ts';
import { entryTasks } from '../../store/dead-letters/change.ts';
import {
  countDeadLetters,
  type DeadLetterDetailsRow,
  type DeadLetterPlace,
  type DeadLetterRow,
  type DeadLetterStatsRow,
  deadLetterStats,
  getDeadLetter,
  newestDeadLetters,
  queuedDeadLetters,
} from '../../store/dead-letters/list.ts';
import { listStaleness, type StalenessRow } from '../../store/dead-letters/staleness.ts';
import { clockFor } from '../search/clock.ts';
import { timeOf } from '../search/filter.ts';
import type { TaskState } from '../task-view.ts';
import { type DeadLetterFilter, readDeadLetterFilter, templatesOf } from './filter.ts';

/** A task that needs or needed a person's attention. Times are ISO 8601, by the clock of the database. */
export interface DeadLetter extends Omit<DeadLetterRow, 'metadata' | 'queueAt' | 'originalState' | 'currentState'> {
  /** The state of the task when the entry was created. */
  originalState: TaskState;
  /** Its state now; null if it was deleted. */
  currentState: TaskState | null;
  metadata: Record<string, unknown> | null;
}

/** A remark of an operator on a dead letter. */
export interface DeadLetterNote {
  at: string;
  author: string;
  note: string;
}

/** A step, as it was when its task became a dead letter. Absent fields had no value. */
export interface SnapshotStep {
  name: string;
  state: string;
  attempts: number;
  max_attempts: number;
  error_type?: string;
  error?: string;
  started_at?: string;
  next_retry_at?: string;
}

/** A task, as it was when it became a dead letter. */
export interface DeadLetterSnapshot {
  task_uuid: string;
  namespace: string;
  task_name: string;
  task_version: string;
  current_state: string;
  /** Minutes since the task last made progress. */
  time_in_state_minutes: number;
  /** The limit that it exceeded. */
  threshold_minutes: number | null;
  snapshot_timestamp: string;
  task_details: { correlation_id: string; priority: number; requested_at: string; created_at: string };
  step_count: number;
  /** Its steps, at most 50, failed and running ones first. Errors are cut after 300 characters. */
  steps: SnapshotStep[];
}

/** A dead letter with its snapshot and the remarks of operators, the oldest first. */
export interface DeadLetterDetails extends DeadLetter {
  taskSnapshot: DeadLetterSnapshot;
  notes: DeadLetterNote[];
}

/** The page of dead letters to return. */
export interface DeadLetterPageOptions {
  /** 1 to 1000, default 50. */
  limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  cursor?: string | undefined;
  /** Number of entries to skip, at most 100,000. Default 0. A cursor is faster. */
  offset?: number | undefined;
  /**
   * `priority`: the order of the queue, only for open entries: the highest priority first, then the highest
   * `priorityScore`. `added`: the newest first. Default `priority` for open entries, otherwise `added`.
   */
  sort?: 'priority' | 'added' | undefined;
}

/** A page of dead letters. */
export interface DeadLetterPage {
  entries: DeadLetter[];
  /** Number of entries that the filter finds, counted up to 10,000. */
  total: number;
  totalIsExact: boolean;
  nextCursor: string | null;
}

/** The number of dead letters with one reason. */
export type DeadLetterStats = DeadLetterStatsRow;
/** An open task with limits, and how close it is to exceeding one. */
export type TaskStaleness = Omit<StalenessRow, 'currentState'> & { currentState: TaskState };

const MOST_COUNTED = 10_000;
/** PostgreSQL plans each call for its own conditions, so that it uses the best index. */
const READING = opening({
  plan_cache_mode: 'force_custom_plan',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  statement_timeout: '10s',
});

function entryOf({ metadata, queueAt: _, ...row }: DeadLetterRow): DeadLetter {
  return {
    ...row,
    originalState: row.originalState as TaskState,
    currentState: row.currentState as TaskState | null,
    metadata: metadata === null ? null : (JSON.parse(metadata) as Record<string, unknown>),
  };
}

function detailsOf({ snapshot, notes, ...row }: DeadLetterDetailsRow): DeadLetterDetails {
  return {
    ...entryOf(row),
    taskSnapshot: JSON.parse(snapshot) as DeadLetterSnapshot,
    notes: JSON.parse(notes) as DeadLetterNote[],
  };
}

/** Returns a page of dead letters. @throws TaskerError `bad_request`, `invalid_uuid` */
export async function listDeadLetters(
  database: Database,
  filter: DeadLetterFilter,
  { limit = 50, cursor, offset = 0, sort }: DeadLetterPageOptions,
): Promise<DeadLetterPage> {
  checkLimit(limit);
  if (!Number.isInteger(offset) || offset < 0 || offset > 100_000) {
    throw new TaskerError('bad_request', `offset must be a whole number from 0 to 100000, got ${offset}`);
  }
  const search = await readDeadLetterFilter(database, filter);
  const isQueue = (filter.status ?? (filter.task === undefined ? 'pending' : 'all')) === 'pending';
  const order = sort ?? (isQueue ? 'priority' : 'added');
  if (order !== 'priority' && order !== 'added') {
    throw new TaskerError('bad_request', `sort must be priority or added, got ${String(sort)}`);
  }
  if (order === 'priority' && !isQueue) {
    throw new TaskerError('bad_request', 'only open entries can be sorted by priority; use sort: added');
  }
  const after = cursor === undefined ? null : readCursor(cursor);
  if (!search) return { entries: [], total: 0, totalIsExact: true, nextCursor: null };
  const [rows, total] = await database.pipeline(READING, (tx) =>
    Promise.all([
      (order === 'priority' ? queuedDeadLetters : newestDeadLetters)(tx, search, { after, limit: limit + 1, offset }),
      countDeadLetters(tx, search, MOST_COUNTED + 1),
    ]),
  );
  const page = rows.slice(0, limit);
  return {
    entries: page.map(entryOf),
    total: Math.min(total, MOST_COUNTED),
    totalIsExact: total <= MOST_COUNTED,
    nextCursor: rows.length > limit ? cursorOf(page.at(-1)!) : null,
  };
}

/**
 * Returns a dead letter, by its own id or its task's id. @throws TaskerError `dead_letter_not_found`, `invalid_uuid`
 */
export async function findDeadLetter(database: Database, given: string): Promise<DeadLetterDetails> {
  const id = checkUuid(given, 'the id of the dead letter or its task');
  const row = await getDeadLetter(database, id);
  if (!row) throw deadLetterNotFound(id);
  return detailsOf(row);
}

/** Returns the task ids for ids of entries or tasks. @throws TaskerError `dead_letter_not_found` */
export async function tasksOfEntries(database: Database, given: readonly string[]): Promise<string[]> {
  const tasks = await entryTasks(database, given);
  for (const id of given) if (!tasks.has(id)) throw deadLetterNotFound(id);
  return [...new Set(tasks.values())];
}

export function deadLetterNotFound(id: string): TaskerError {
  return new TaskerError(
    'dead_letter_not_found',
    `${id} is neither a dead letter nor a task with one; \`tasker dlq list\` lists the open ones`,
  );
}

/** Counts dead letters by their reason. @throws TaskerError `bad_request` */
export async function statsOfDeadLetters(
  database: Database,
  filter: Pick<DeadLetterFilter, 'addedAfter' | 'namespace' | 'namespaces' | 'name'>,
): Promise<DeadLetterStats[]> {
  const addedAfter = timeOf(filter.addedAfter, 'addedAfter', await clockFor(database, filter.addedAfter));
  const templates = await templatesOf(database, filter);
  return database.pipeline(READING, (tx) => deadLetterStats(tx, { addedAfter, templateIds: templates }));
}

/** Returns open tasks with limits, sorted by how close they are to a limit. @throws TaskerError `bad_request` */
export async function stalenessOf(database: Database, { limit = 100 }: { limit?: number }): Promise<TaskStaleness[]> {
  checkLimit(limit);
  return (await database.pipeline(READING, (tx) => listStaleness(tx, limit))) as TaskStaleness[];
}

function checkLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return;
  throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
}

function cursorOf({ dlqEntryUuid, priority, queueAt, createdAt }: DeadLetterRow): string {
  return Buffer.from(JSON.stringify([dlqEntryUuid, priority, queueAt, createdAt])).toString('base64url');
}

function readCursor(text: string): DeadLetterPlace {
  try {
    const [id, priority, queueAt, createdAt] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [
      string,
      number,
      string,
      string,
    ];
    const times = [queueAt, createdAt].map((time) => Date.parse(time));
    if (Number.isInteger(priority) && !times.some(Number.isNaN)) {
      return { dlqEntryUuid: checkUuid(id, 'cursor'), priority, queueAt, createdAt };
    }
  } catch {
    // Rejected below.
  }
  throw new TaskerError('bad_request', 'the cursor is not from a page of dead letters; pass nextCursor unchanged');
}
