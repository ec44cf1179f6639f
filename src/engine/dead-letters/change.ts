import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { TaskerError } from '../../errors.ts';
import { DEAD_LETTER_STATUSES, type DeadLetterStatus } from '../../model/dead-letter.ts';
import { checkUuid } from '../../model/ids.ts';
import { storableJson } from '../../model/json.ts';
import { addDeadLetters } from '../../store/dead-letters/add.ts';
import {
  changeEntries,
  type EntryChange,
  entryIds,
  type LockedEntryRow,
  lockEntries,
} from '../../store/dead-letters/change.ts';
import { closeEntriesOf } from '../../store/dead-letters/checks.ts';
import { lockTasks, taskStates } from '../../store/tasks.ts';
import { type OperatorOptions, onFreeTask, operatorOf } from '../operator-actions.ts';
import { deadLetterNotFound } from './entries.ts';
import { checkText, oneOf } from './filter.ts';
import { LIFECYCLE } from './find-stuck.ts';

/** How to add a task to the dead letters. */
export interface AddOptions extends OperatorOptions {
  /** The person or team responsible for it. */
  assignee?: string | undefined;
  /** Higher is more urgent. -100 to 100, default 0. */
  priority?: number | undefined;
  /** Any helpful details, such as a link to a ticket. */
  metadata?: Record<string, unknown> | undefined;
}

/** A change of dead letters. Fields that are omitted keep their values. */
export interface DeadLetterChange {
  /** Closes the entries. */
  status?: Exclude<DeadLetterStatus, 'pending'> | undefined;
  /** The outcome, in words. */
  resolutionNotes?: string | undefined;
  /** Null removes the assignee. */
  assignee?: string | null | undefined;
  /** -100 to 100. */
  priority?: number | undefined;
  metadata?: Record<string, unknown> | undefined;
  /** A remark to add to the existing remarks. */
  note?: string | undefined;
}

const LONGEST_NOTE = 10_000;
const LONGEST_METADATA = 65_536;
/** Entries that one action can change. */
const MOST_AT_ONCE = 1_000;
const SETTINGS = opening({ lock_timeout: '5s', statement_timeout: '30s', idle_in_transaction_session_timeout: '30s' });

/**
 * Adds a task in any state to the dead letters. Returns the id of the entry.
 * @throws TaskerError `task_not_found`, `conflict` if it has an open entry, `bad_request`
 */
export async function addTask(database: Database, given: string, options: AddOptions): Promise<string> {
  const taskUuid = checkUuid(given, 'the task id');
  const { assignee, priority = 0, metadata, ...by } = options;
  const operator = operatorOf(by);
  const more = {
    assignee: assignee === undefined ? null : checkName(assignee),
    priority: checkPriority(priority),
    metadata: metadata === undefined ? null : metadataText(metadata),
  };
  return onFreeTask(database, taskUuid, async (tx) => {
    await lockTasks(tx, [taskUuid]);
    // An entry for a task that makes progress would be closed by the next check.
    await closeEntriesOf(tx, [taskUuid], LIFECYCLE.actor);
    const cause = operator.reason;
    const entry = { taskUuid, reason: 'manual_dlq', cause, rule: null, minutes: null, since: null } as const;
    const [added] = await addDeadLetters(tx, [entry], { ...operator, ...more });
    if (added) return added.dlqEntryUuid;
    if ((await taskStates(tx, [taskUuid])).size === 0) {
      throw new TaskerError('task_not_found', `task ${taskUuid} not found`);
    }
    const id = (await entryIds(tx, [taskUuid])).get(taskUuid)!;
    throw new TaskerError('conflict', `task ${taskUuid} is already in the dead letters, as entry ${id}`, {
      details: { task_uuid: taskUuid, dlq_entry_uuid: id },
    });
  });
}

/**
 * Changes dead letters, all or none. Returns how many seconds the closed entries were open.
 * @throws TaskerError `dead_letter_not_found`, `illegal_transition` if one is closed, `bad_request`, `invalid_uuid`
 */
export async function changeDeadLetters(
  database: Database,
  given: string | readonly string[],
  wanted: DeadLetterChange,
  options: OperatorOptions,
): Promise<{ changed: number; seconds: number[] }> {
  const ids = readIds(given);
  const operator = operatorOf(options);
  const change = readChange(wanted);
  const onlyNotes = Object.entries(change).every(([key, value]) => value === undefined || key === 'note');
  return database.transaction(SETTINGS, async (tx) => {
    const found = await entryIds(tx, ids);
    for (const id of ids) if (!found.get(id)) throw deadLetterNotFound(id);
    const entries = await lockEntries(tx, [...new Set(found.values())] as string[]);
    const closed = onlyNotes ? undefined : entries.find((entry) => entry.status !== 'pending');
    if (closed) throw isClosed(closed);
    const act = actOf(change);
    const details = detailsOf(change);
    const seconds = await changeEntries(
      tx,
      entries.map((entry) => entry.id),
      { act, change, details },
      operator,
    );
    return { changed: entries.length, seconds };
  });
}

function readIds(given: string | readonly string[]): string[] {
  const ids = typeof given === 'string' ? [given] : given;
  if (!Array.isArray(ids) || ids.length === 0)
    throw new TaskerError('bad_request', 'no dead letter was given; pass at least one id');
  if (ids.length > MOST_AT_ONCE) {
    throw new TaskerError('bad_request', `${ids.length} dead letters were given; pass at most ${MOST_AT_ONCE}`);
  }
  return [...new Set(ids.map((id) => checkUuid(id as string, 'the id of a dead letter or its task')))];
}

function readChange({ status, resolutionNotes, assignee, priority, metadata, note }: DeadLetterChange): EntryChange {
  const change: EntryChange = {
    status: status === undefined ? undefined : closing(status),
    resolution: resolutionNotes === undefined ? undefined : checkText(resolutionNotes, 'resolutionNotes', LONGEST_NOTE),
    assignee: assignee === undefined || assignee === null ? assignee : checkName(assignee),
    priority: priority === undefined ? undefined : checkPriority(priority),
    metadata: metadata === undefined ? undefined : metadataText(metadata),
    note: note === undefined ? undefined : checkText(note, 'note', LONGEST_NOTE),
  };
  if (change.note === '') throw new TaskerError('bad_request', 'note must not be empty');
  if (Object.values(change).every((value) => value === undefined)) {
    throw new TaskerError(
      'bad_request',
      'nothing to change; pass status, resolutionNotes, assignee, priority, metadata or note',
    );
  }
  return change;
}

function closing(status: unknown): Exclude<DeadLetterStatus, 'pending'> {
  const known = oneOf(status, DEAD_LETTER_STATUSES, 'status');
  if (known !== 'pending') return known;
  throw new TaskerError('bad_request', 'status cannot be pending; a dead letter is pending until it is closed');
}

function checkName(name: unknown): string {
  const text = checkText(name, 'assignee', 255);
  if (text.trim() === '') throw new TaskerError('bad_request', 'assignee must not be empty');
  return text;
}

function checkPriority(priority: unknown): number {
  if (Number.isInteger(priority) && Math.abs(priority as number) <= 100) return priority as number;
  throw new TaskerError('bad_request', `priority must be a whole number from -100 to 100, got ${String(priority)}`);
}

function metadataText(metadata: unknown): string {
  const stored = storableJson(metadata);
  if (!stored.ok) throw new TaskerError('bad_request', `metadata: ${stored.path}: ${stored.reason}`);
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new TaskerError('bad_request', 'metadata must be an object');
  }
  if (stored.json.length > LONGEST_METADATA) {
    throw new TaskerError(
      'bad_request',
      `metadata has ${stored.json.length} bytes as JSON; at most ${LONGEST_METADATA} are allowed`,
    );
  }
  return stored.json;
}

function isClosed({ id, taskUuid, status, resolvedBy, resolvedAt }: LockedEntryRow): TaskerError {
  return new TaskerError(
    'illegal_transition',
    `dead letter ${id} of task ${taskUuid} is closed: ${status} by ${resolvedBy} at ${resolvedAt}; \`tasker dlq add\` opens a new one`,
  );
}

function actOf({ status, assignee, priority, metadata }: EntryChange): string {
  if (status !== undefined) return 'dlq_resolve';
  if (assignee !== undefined) return 'dlq_assign';
  return priority === undefined && metadata === undefined ? 'dlq_note' : 'dlq_update';
}

/** Returns the part of a change that the audit keeps. Notes stay with the entry. */
function detailsOf({ status, resolution, assignee, priority, metadata, note }: EntryChange): Record<string, unknown> {
  return {
    ...(status !== undefined && { status }),
    ...(resolution !== undefined && { resolution: resolution.slice(0, 1000) }),
    ...(assignee !== undefined && { assignee }),
    ...(priority !== undefined && { priority }),
    ...(metadata !== undefined && { metadata: true }),
    ...(note !== undefined && { note: note.slice(0, 1000) }),
  };
}
