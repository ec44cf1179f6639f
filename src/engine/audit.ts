import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import { TaskerError } from '../errors.ts';
import { AUDIT_ACTIONS } from '../model/audit-actions.ts';
import { checkUuid } from '../model/ids.ts';
import { isStorableText } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { type AuditRow, foldAudit, forgetActs, forgetBulks, hasAction, listAudit } from '../store/audit.ts';
import type { Door } from './operator-actions.ts';
import { clockFor } from './search/clock.ts';
import { isCursorTime } from './search/cursor.ts';
import { type SearchTime, timeOf } from './search/filter.ts';

/** Conditions on the actions to list. An action must meet all of them. */
export interface AuditFilter {
  actor?: string | undefined;
  /** The action, such as `cancel`, `reset`, `retry`, `resolve`, `complete`, `delete` or `replay_events`. */
  action?: string | undefined;
  /** Where the action came from. */
  door?: Door | undefined;
  after?: SearchTime | undefined;
  before?: SearchTime | undefined;
  /** The id of a task, which may have been deleted since. */
  task?: string | undefined;
  /** The id of a bulk action. */
  bulk?: number | undefined;
  /** The object of an action that is not on a task, such as `event group receipts`. */
  target?: string | undefined;
}

/** The page of actions to return. */
export interface AuditPageOptions {
  /** 1 to 1000, default 50. */
  limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  cursor?: string | undefined;
  /**
   * Returns one entry for each bulk action: its start and its actions on tasks and steps that meet the conditions, with
   * their number in `entries`, at most 10,000. Default: false.
   */
  fold?: boolean | undefined;
}

/** An action of an operator, or of a template's lifecycle. */
export interface AuditEntry extends Omit<AuditRow, 'details' | 'bulk'> {
  /** Further details of the action, such as the filter of a bulk action. */
  details: Record<string, unknown> | null;
}

/** A page of actions, newest first. */
export interface AuditPage {
  entries: AuditEntry[];
  nextCursor: string | null;
}

const KEYS: readonly (keyof AuditFilter)[] = ['actor', 'action', 'door', 'after', 'before', 'task', 'bulk', 'target'];
/** PostgreSQL plans each call for its own conditions, so that it uses the best index. */
const AUDITING = opening({ plan_cache_mode: 'force_custom_plan', jit: 'off', statement_timeout: '10s' });

/** Returns actions, newest first. @throws TaskerError `bad_request`, `invalid_uuid` */
export async function findActs(
  database: Database,
  filter: AuditFilter,
  { limit = 50, cursor, fold = false }: AuditPageOptions,
): Promise<AuditPage> {
  checkFilter(filter);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  }
  const now = await clockFor(database, filter.after, filter.before);
  const search = {
    actor: filter.actor ?? null,
    action: filter.action ?? null,
    door: filter.door ?? null,
    after: timeOf(filter.after, 'after', now),
    before: timeOf(filter.before, 'before', now),
    taskUuid: filter.task === undefined ? null : checkUuid(filter.task, 'task'),
    bulkId: filter.bulk ?? null,
    target: filter.target ?? null,
    from: cursor === undefined ? null : readCursor(cursor),
    limit: limit + 1,
  };
  const rows = await database.pipeline(AUDITING, (tx) => (fold ? foldAudit : listAudit)(tx, search));
  if (rows.length === 0) await checkAction(database, filter.action);
  const entries = rows.slice(0, limit).map(entryOf);
  return { entries, nextCursor: rows.length > limit ? cursorOf(entries.at(-1)!) : null };
}

function checkFilter(filter: AuditFilter): void {
  for (const [key, value] of Object.entries(filter)) {
    if (!(KEYS as readonly string[]).includes(key)) {
      const near = nearNames(key, KEYS, 1)[0];
      throw new TaskerError(
        'bad_request',
        `unknown condition ${key} of the audit; ${near ? `did you mean ${near}?` : `the conditions are ${KEYS.join(', ')}`}`,
      );
    }
    if (typeof value === 'string' && !isStorableText(value)) {
      throw new TaskerError('bad_request', `${key} has characters that PostgreSQL cannot store`);
    }
  }
  for (const key of ['actor', 'action', 'door', 'target'] as const) {
    if (filter[key] === undefined || typeof filter[key] === 'string') continue;
    throw new TaskerError('bad_request', `${key} must be a string`);
  }
  if (filter.bulk !== undefined && !(Number.isSafeInteger(filter.bulk) && filter.bulk > 0)) {
    throw new TaskerError('bad_request', `bulk must be the number of a bulk action, got ${String(filter.bulk)}`);
  }
}

/**
 * Rejects an action that does not exist, instead of returning no entries. Accepts what a later version has recorded.
 * @throws TaskerError `bad_request`
 */
async function checkAction(database: Database, action: string | undefined): Promise<void> {
  if (action === undefined || AUDIT_ACTIONS.some((known) => known === action)) return;
  if (await hasAction(database, action)) return;
  const near = nearNames(action, AUDIT_ACTIONS, 3);
  throw new TaskerError(
    'bad_request',
    `unknown action ${action}; ${near.length > 0 ? `did you mean ${near.join(' or ')}?` : `the actions are ${AUDIT_ACTIONS.join(', ')}`}`,
  );
}

/** Returns an entry. An entry for several actions of a bulk action is about the bulk action. */
function entryOf({ details, bulk, ...row }: AuditRow): AuditEntry {
  const own = details === null ? null : (JSON.parse(details) as Record<string, unknown>);
  if (row.entries === 1) return { ...row, details: own };
  const { action = row.action, ...of } = (bulk === null ? {} : JSON.parse(bulk)) as { action?: string };
  const none = { taskUuid: null, template: null, step: null, fromState: null, toState: null };
  return { ...row, ...none, action, target: `bulk ${row.bulkId}`, details: of };
}

function cursorOf({ at, id }: AuditEntry): string {
  return Buffer.from(JSON.stringify([at, id])).toString('base64url');
}

function readCursor(text: string): { at: string; id: number } {
  try {
    const [at, id] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [string, number];
    if (isCursorTime(at) && Number.isSafeInteger(id)) return { at, id };
  } catch {
    // Rejected below.
  }
  throw new TaskerError('bad_request', 'the cursor is not from a page of actions; pass nextCursor unchanged');
}

const FORGOTTEN_AT_ONCE = 10_000;

/**
 * Deletes actions, and bulk actions with their items, that are older than `retentionMs`. Returns the number of actions.
 */
export async function forgetOldActs(database: Database, retentionMs: number): Promise<number> {
  let gone = 0;
  for (;;) {
    const more = await forgetActs(database, { retentionMs, limit: FORGOTTEN_AT_ONCE });
    gone += more;
    if (more < FORGOTTEN_AT_ONCE) break;
  }
  while ((await forgetBulks(database, retentionMs)) > 0);
  return gone;
}
