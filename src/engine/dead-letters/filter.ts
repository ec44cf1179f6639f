import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import {
  DEAD_LETTER_REASONS,
  DEAD_LETTER_STATUSES,
  type DeadLetterReason,
  type DeadLetterStatus,
} from '../../model/dead-letter.ts';
import { checkUuid } from '../../model/ids.ts';
import { isStorableText } from '../../model/json.ts';
import { nearNames } from '../../model/near-names.ts';
import type { DeadLetterSearch } from '../../store/dead-letters/list.ts';
import { templateIds } from '../../store/search/search-facts.ts';
import { clockFor } from '../search/clock.ts';
import { type SearchTime, type TaskFilter, timeOf } from '../search/filter.ts';
import { versionMatcher } from '../search/version-range.ts';

/** The conditions on dead letters themselves. */
export interface DeadLetterConditions {
  /** The reason why the task is in the dead letters. */
  dlqReason?: DeadLetterReason | undefined;
  assignee?: string | undefined;
  /** Only entries that have no assignee. */
  unassigned?: boolean | undefined;
  /** When the entry was created: a time, or an age such as `2h`. */
  addedAfter?: SearchTime | undefined;
  addedBefore?: SearchTime | undefined;
}

/** Which dead letters to list. An entry must meet all given conditions. */
export interface DeadLetterFilter extends DeadLetterConditions {
  /** Default `pending`; `all` also finds closed entries. */
  status?: DeadLetterStatus | 'all' | undefined;
  namespace?: string | undefined;
  /** Only these namespaces. */
  namespaces?: readonly string[] | undefined;
  /** The name of the template. */
  name?: string | undefined;
  /** A version of the template, or a range such as `1.x`. */
  templateVersion?: string | undefined;
  /** All entries of one task. */
  task?: string | undefined;
}

/** The names of {@link DeadLetterConditions}. */
export const CONDITION_KEYS = ['dlqReason', 'assignee', 'unassigned', 'addedAfter', 'addedBefore'] as const;
const KEYS: readonly (keyof DeadLetterFilter)[] = [
  'status',
  ...CONDITION_KEYS,
  'namespace',
  'namespaces',
  'name',
  'templateVersion',
  'task',
];

/**
 * Reads a filter. Undefined if nothing can match, for example because no template has the name.
 * @throws TaskerError `bad_request`, `invalid_uuid`
 */
export async function readDeadLetterFilter(
  database: Database,
  filter: DeadLetterFilter,
): Promise<DeadLetterSearch | undefined> {
  checkFilter(filter);
  const { status = filter.task === undefined ? 'pending' : 'all', task } = filter;
  const search: DeadLetterSearch = {
    status: status === 'all' ? null : status,
    ...readConditions(filter, await clockFor(database, filter.addedAfter, filter.addedBefore)),
    templateIds: await templatesOf(database, filter),
    taskUuid: task === undefined ? null : checkUuid(task, 'task'),
  };
  return search.templateIds?.length === 0 ? undefined : search;
}

/** Reads the conditions on entries. `now`: the time from which ages are measured. @throws TaskerError `bad_request` */
export function readConditions(
  conditions: DeadLetterConditions,
  now: number,
): Pick<DeadLetterSearch, 'reason' | 'assignee' | 'unassigned' | 'addedAfter' | 'addedBefore'> {
  const { dlqReason, assignee, unassigned = false, addedAfter, addedBefore } = conditions;
  if (dlqReason !== undefined) oneOf(dlqReason, DEAD_LETTER_REASONS, 'dlqReason');
  if (assignee !== undefined) checkText(assignee, 'assignee');
  if (typeof unassigned !== 'boolean') throw new TaskerError('bad_request', 'unassigned must be true or false');
  if (unassigned && assignee !== undefined) {
    throw new TaskerError('bad_request', 'unassigned and assignee exclude each other; pass one of them');
  }
  return {
    reason: dlqReason ?? null,
    assignee: assignee ?? null,
    unassigned,
    addedAfter: timeOf(addedAfter, 'addedAfter', now),
    addedBefore: timeOf(addedBefore, 'addedBefore', now),
  };
}

/** Returns the ids of the templates that a filter names; null if it names none. */
export async function templatesOf(
  database: Database,
  {
    namespace,
    namespaces,
    name,
    templateVersion,
  }: Pick<TaskFilter, 'namespace' | 'namespaces' | 'name' | 'templateVersion'>,
): Promise<number[] | null> {
  if ((namespace ?? namespaces) === undefined && name === undefined && templateVersion === undefined) return null;
  const fits = templateVersion === undefined ? () => true : versionMatcher(templateVersion);
  const all = await templateIds(database, { namespace: null, name: name ?? null });
  const named = namespace === undefined ? undefined : [namespace].flat();
  const within = (one: string) => (named?.includes(one) ?? true) && (namespaces?.includes(one) ?? true);
  return all.filter((row) => within(row.namespace) && fits(row.version)).map(({ id }) => id);
}

function checkFilter(filter: DeadLetterFilter): void {
  for (const key of Object.keys(filter)) {
    if ((KEYS as readonly string[]).includes(key)) continue;
    const near = nearNames(key, KEYS, 1)[0];
    throw new TaskerError(
      'bad_request',
      `unknown condition ${key} of dead letters; ${near ? `did you mean ${near}?` : `the conditions are ${KEYS.join(', ')}`}`,
    );
  }
  if (filter.status !== undefined) oneOf(filter.status, [...DEAD_LETTER_STATUSES, 'all'], 'status');
  for (const key of ['namespace', 'name', 'templateVersion'] as const) {
    if (filter[key] !== undefined) checkText(filter[key], key);
  }
  if (filter.namespaces !== undefined) {
    if (!Array.isArray(filter.namespaces)) throw new TaskerError('bad_request', 'namespaces must be a list');
    for (const one of filter.namespaces) checkText(one, 'namespaces');
  }
}

/** @throws TaskerError `bad_request` */
export function checkText(text: unknown, what: string, most = 10_000): string {
  if (typeof text !== 'string' || !isStorableText(text)) {
    throw new TaskerError('bad_request', `${what} must be a string without U+0000 or lone surrogates`);
  }
  if (text.length > most) {
    throw new TaskerError('bad_request', `${what} has ${text.length} characters; at most ${most} are allowed`);
  }
  return text;
}

/** @throws TaskerError `bad_request` */
export function oneOf<T extends string>(value: unknown, known: readonly T[], what: string): T {
  if (known.includes(value as T)) return value as T;
  const near = nearNames(String(value), known, 1)[0];
  throw new TaskerError(
    'bad_request',
    `${what}: ${String(value)} is not one of ${known.join(', ')}${near ? `; did you mean ${near}?` : ''}`,
  );
}
