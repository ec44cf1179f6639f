import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { isStorableText } from '../../model/json.ts';
import { nearNames } from '../../model/near-names.ts';
import { stateHint } from '../../model/state-hint.ts';
import { ENDED_STATES } from '../../model/states.ts';
import { templateIds } from '../../store/search/search-facts.ts';
import { serverFacts } from '../../store/server/server-facts.ts';
import { type SearchTime, timeOf } from '../search/filter.ts';
import { versionMatcher } from '../search/version-range.ts';

/** Conditions on the tasks to prune. A task must meet all of them. */
export interface PruneFilter {
  /** Tasks that ended before this time, or longer ago than this age (`30d`), by the clock of the database. */
  olderThan: SearchTime;
  /** One or several of `complete`, `error`, `cancelled`, `resolved_manually` and `undone`. Default: all. */
  status?: string | readonly string[] | undefined;
  namespace?: string | undefined;
  /** The name of the template. */
  name?: string | undefined;
  /** A version, or a range such as `1.x` or `>=1.2.0 <2.0.0`. */
  templateVersion?: string | undefined;
}

/** A rule: how long to keep the tasks that meet all its conditions. */
export interface RetentionRule extends Omit<PruneFilter, 'olderThan'> {
  /** Milliseconds after the end of a task; 0 means forever. */
  keepMs: number;
}

/** The tasks that a prune may delete. */
export interface PrunePlan {
  /** JSON text: the time before which tasks must have ended, by the id of their template and their state. */
  cutoffs: string;
  /** No task with this id or a greater id can have ended before the cutoff. */
  before: string;
  /** Whether no template meets the conditions, so that nothing can be found. */
  empty: boolean;
}

const KEYS: readonly (keyof PruneFilter)[] = ['olderThan', 'status', 'namespace', 'name', 'templateVersion'];

/** Checks a filter. @throws TaskerError `bad_request` */
export function checkPruneFilter(filter: PruneFilter): void {
  for (const key of Object.keys(filter)) {
    if ((KEYS as readonly string[]).includes(key)) continue;
    const near = nearNames(key, KEYS, 1)[0];
    throw new TaskerError(
      'bad_request',
      `unknown condition ${key} of a prune; ${near ? `did you mean ${near}?` : `the conditions are ${KEYS.join(', ')}`}`,
    );
  }
  if (filter.olderThan === undefined) {
    throw new TaskerError('bad_request', 'a prune needs olderThan: an age such as 30d, or a time');
  }
  timeOf(filter.olderThan, 'olderThan');
  for (const key of ['namespace', 'name', 'templateVersion'] as const) {
    const value: unknown = filter[key];
    if (value === undefined || (typeof value === 'string' && isStorableText(value))) continue;
    throw new TaskerError('bad_request', `${key} must be a string that PostgreSQL can store`);
  }
  statesOf(filter.status);
  if (filter.templateVersion !== undefined) versionMatcher(filter.templateVersion);
}

function statesOf(status: PruneFilter['status']): readonly string[] {
  if (status === undefined) return ENDED_STATES;
  const states = [status].flat() as unknown[];
  for (const state of states) {
    if (ENDED_STATES.some((known) => known === state)) continue;
    throw new TaskerError(
      'bad_request',
      `${String(state)} is not a state in which a task has ended; ${stateHint(String(state), ENDED_STATES)}`,
    );
  }
  return states as string[];
}

/** Plans a prune by the filter of an operator. @throws TaskerError `bad_request` */
export async function planOfFilter(database: Database, filter: PruneFilter): Promise<PrunePlan> {
  checkPruneFilter(filter);
  const { nowMs } = await serverFacts(database);
  const cutoff = timeOf(filter.olderThan, 'olderThan', nowMs)!;
  if (Date.parse(cutoff) > nowMs) {
    throw new TaskerError('bad_request', `olderThan: ${cutoff} is in the future by the clock of the database`);
  }
  return planOf(database, [{ rule: filter, cutoff }]);
}

/** Plans a prune by the rules of a policy. The first rule that a task meets decides. */
export async function planOfRules(database: Database, rules: readonly RetentionRule[]): Promise<PrunePlan> {
  const { nowMs } = await serverFacts(database);
  const cutoffOf = ({ keepMs }: RetentionRule) => (keepMs === 0 ? null : new Date(nowMs - keepMs).toISOString());
  return planOf(
    database,
    rules.map((rule) => ({ rule, cutoff: cutoffOf(rule) })),
  );
}

/** A null `cutoff` keeps the tasks forever. */
async function planOf(
  database: Database,
  rules: readonly { rule: Omit<PruneFilter, 'olderThan'>; cutoff: string | null }[],
): Promise<PrunePlan> {
  const templates = await templateIds(database, { namespace: null, name: null });
  const cutoffs: Record<string, string> = {};
  const decided = new Set<string>();
  for (const { rule, cutoff } of rules) {
    const fits = rule.templateVersion === undefined ? () => true : versionMatcher(rule.templateVersion);
    for (const { id, namespace, name, version } of templates) {
      if (rule.namespace !== undefined && rule.namespace !== namespace) continue;
      if ((rule.name !== undefined && rule.name !== name) || !fits(version)) continue;
      for (const state of statesOf(rule.status)) {
        const key = `${id}:${state}`;
        if (decided.has(key)) continue;
        decided.add(key);
        if (cutoff !== null) cutoffs[key] = cutoff;
      }
    }
  }
  const latest = Math.max(0, ...Object.values(cutoffs).map((cutoff) => Date.parse(cutoff)));
  return { cutoffs: JSON.stringify(cutoffs), before: idAt(latest + CLOCKS_MS), empty: latest === 0 };
}

/** A task is created before it ends. Its id begins with the time on the clock of its creator, which may be wrong. */
const CLOCKS_MS = 86_400_000;

/** Returns the smallest id that a task created at this time can have. */
function idAt(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`;
}
