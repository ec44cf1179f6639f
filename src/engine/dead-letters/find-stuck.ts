import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { Announced } from '../../model/announced.ts';
import { type AddedDeadLetter, addDeadLetters } from '../../store/dead-letters/add.ts';
import {
  type BlockedPlace,
  blockedTasks,
  blockingTemplates,
  type ClosedDeadLetter,
  closeMovedOn,
  noteChecked,
  takeTurn,
  tryLooking,
  wantedHandlers,
} from '../../store/dead-letters/checks.ts';
import { missingHandlers, type NeededHandler } from '../../store/missing-handlers.ts';
import { FIRST_TASK } from '../../store/queue.ts';
import { lockFreeTasks } from '../../store/tasks.ts';
import { listWorkers } from '../../store/workers.ts';

/** The actor of automatic changes in the history and the audit. */
export const LIFECYCLE = { actor: 'lifecycle', reason: null, door: 'lifecycle', bulkId: null } as const;
/** Entries that are added automatically. */
export const BY_ITSELF = { ...LIFECYCLE, priority: 0, assignee: null, metadata: null } as const;

/** The entries that one transaction of a check changed. */
export interface DeadLetterTurn {
  added: AddedDeadLetter[];
  closed: ClosedDeadLetter[];
}

/** Options of a check for dead letters. */
export interface DeadLetterLook {
  /** Whether this installation maintains the search tables. Without them, all open tasks are read. */
  searchable: boolean;
  /** Minimum time since the last check by any process, in milliseconds. Default 25 s. */
  leastMs?: number;
  /**
   * Maximum time for checking open entries, in milliseconds. Default 300. The next check continues where it stopped.
   */
  checkMs?: number;
}

const LEAST_MS = 25_000;
const CHECK_MS = 300;
/** Maximum number of entries or tasks in one transaction. */
const AT_ONCE = 500;

// Planned for each call, because the tables may be empty or have a hundred thousand rows. Sequential scans stay enabled
// for small tables.
const SETTINGS = opening({
  plan_cache_mode: 'force_custom_plan',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  lock_timeout: '2s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/**
 * Closes the entries of tasks that make progress again. Adds blocked tasks if their templates request it. Any process
 * may call this function at any time. The check runs in one process at a time, and only if none has run it recently.
 * Yields the changes of each transaction.
 */
export async function* findStuckTasks(
  database: Database,
  { searchable, leastMs = LEAST_MS, checkMs = CHECK_MS }: DeadLetterLook,
): AsyncGenerator<DeadLetterTurn> {
  const turn = await database.transaction(SETTINGS, async (tx) =>
    (await tryLooking(tx)) ? takeTurn(tx, leastMs) : undefined,
  );
  if (!turn) return;
  yield* closeOpen(database, { after: turn.checkedTo ?? FIRST_TASK, checkMs });
  const templates = await inTurn(database, (tx) => blockingTemplates(tx, { searchable }));
  for (const templateId of templates ?? []) yield* addBlocked(database, { templateId, searchable });
}

/** Runs a transaction of the check. Undefined if another process is checking. */
function inTurn<T>(database: Database, work: (tx: Db) => Promise<T>): Promise<T | undefined> {
  return database.transaction(SETTINGS, async (tx) => ((await tryLooking(tx)) ? work(tx) : undefined));
}

async function* closeOpen(
  database: Database,
  { after, checkMs }: { after: string; checkMs: number },
): AsyncGenerator<DeadLetterTurn> {
  const began = performance.now();
  let last: string | null = after;
  do {
    const from: string = last;
    const slice = await inTurn(database, async (tx) => {
      const checked = await closeMovedOn(tx, { after: from, limit: AT_ONCE, actor: LIFECYCLE.actor });
      const next = checked.looked < AT_ONCE ? null : checked.last;
      await noteChecked(tx, next);
      return { closed: checked.closed, next };
    });
    if (!slice) return;
    last = slice.next;
    if (slice.closed.length > 0) yield { added: [], closed: slice.closed };
  } while (last !== null && performance.now() - began < checkMs);
}

async function* addBlocked(
  database: Database,
  { templateId, searchable }: { templateId: number; searchable: boolean },
): AsyncGenerator<DeadLetterTurn> {
  let after: BlockedPlace | undefined = { createdAt: '-infinity', taskUuid: FIRST_TASK };
  while (after) {
    const from: BlockedPlace = after;
    const page = await inTurn(database, async (tx) => {
      const found = await blockedTasks(tx, { templateId, after: from, limit: AT_ONCE, searchable });
      const free = await lockFreeTasks(
        tx,
        found.map((task) => task.taskUuid),
      );
      const entries = free.map((taskUuid) => ({
        taskUuid,
        reason: 'max_retries_exceeded' as const,
        cause: null,
        rule: null,
        minutes: null,
        since: null,
      }));
      const added = entries.length > 0 ? await addDeadLetters(tx, entries, BY_ITSELF) : [];
      return { added, next: found.length < AT_ONCE ? undefined : found.at(-1)! };
    });
    if (!page) return;
    if (page.added.length > 0) yield { added: page.added, closed: [] };
    after = page.next;
  }
}

/**
 * Returns the tasks in which a ready step waits for a worker: nothing is running, and no live worker that takes steps
 * has its handler. By task, the names of the handlers that the workers of its namespace lack.
 */
export async function missingHandlersOf(db: Db, taskUuids: readonly string[]): Promise<Map<string, string[]>> {
  const [wanted, workers, missing] = await Promise.all([
    wantedHandlers(db, taskUuids),
    listWorkers(db),
    missingHandlers(db),
  ]);
  const withheld = new Set(missing.filter(({ state }) => state === 'withheld').map(keyOf));
  const taking = workers.filter((worker) => worker.living && !worker.draining);
  const byNamespace = new Map<string, Announced>();
  const announcedIn = (namespace: string): Announced => {
    const known = byNamespace.get(namespace);
    if (known) return known;
    const announced = new Announced();
    for (const { namespaces, callables } of taking) if (namespaces.includes(namespace)) announced.add(callables);
    byNamespace.set(namespace, announced);
    return announced;
  };
  const running = new Set(wanted.filter((row) => row.running).map((row) => row.taskUuid));
  const served = new Set(workers.filter((worker) => worker.living).flatMap(({ namespaces }) => namespaces));
  const found = new Map<string, string[]>();
  for (const row of wanted) {
    if (running.has(row.taskUuid)) continue;
    if (!withheld.has(keyOf(row)) && announcedIn(row.namespace).covers(row)) continue;
    const lacking = served.has(row.namespace) ? [row.callable] : [];
    found.set(row.taskUuid, [...(found.get(row.taskUuid) ?? []), ...lacking]);
  }
  return found;
}

function keyOf({ namespace, callable, resolver }: NeededHandler): string {
  return JSON.stringify([namespace, callable, resolver]);
}
