import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { type AuditConditionValues, NAMED_AUDIT_CONDITIONS } from '../../contract/filters/audit.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import { conditionArguments, conditionsOf, conditionWords } from '../conditions.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { nextPage } from '../show/page-notes.ts';
import { painted, table, upTo } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

type AuditEntry = Awaited<ReturnType<Tasker['audit']>>['entries'][number];

/** Options of `tasker audit list`. */
export interface AuditListOptions extends GlobalOptions, AuditConditionValues {
  limit: number;
  cursor?: string;
  each?: boolean;
}

/** `tasker audit list`: lists actions of operators and lifecycles, newest first. */
export async function auditList(options: AuditListOptions): Promise<void> {
  const { limit, cursor, json, each = false } = options;
  const filter = conditionsOf<AuditConditionValues>(options, NAMED_AUDIT_CONDITIONS);
  await withTasker(options, {}, async (tasker) => {
    // One bulk action, or the actions on one task, are listed in full.
    const fold = !each && filter.bulk === undefined && filter.task === undefined;
    const { entries, nextCursor } = await tasker.audit(filter, { limit, cursor, fold });
    if (json) return printJson({ entries: entries.map(snakeKeys), next_cursor: nextCursor });
    if (entries.length === 0) return note(whyNone(conditionWords(filter, NAMED_AUDIT_CONDITIONS).map(oneLine)));
    print(table(['time', 'by', 'door', 'action', 'on', 'change', 'bulk', 'reason'], entries.map(rowOf)));
    if (entries.some((entry) => entry.entries > 1)) note('a bulk action is one line; --each lists its actions');
    if (nextCursor !== null) note(nextPage(nextCursor, ['audit', 'list', ...argumentsOf(filter, { each, limit })]));
  });
}

function whyNone(conditions: readonly string[]): string {
  return conditions.length === 0 ? 'no actions of operators yet' : `no action matches: ${conditions.join(', ')}`;
}

const PAGE = 20;
/** The actions of a bulk action are counted up to this number. */
const MOST_FOLDED = 10_000;

/** Returns the options and values of the command, for a shell. */
function argumentsOf(filter: AuditConditionValues, { each, limit }: { each: boolean; limit: number }): string[] {
  return [
    ...conditionArguments(filter),
    ...(each ? ['--each'] : []),
    ...(limit === PAGE ? [] : ['--limit', String(limit)]),
  ];
}

function rowOf(entry: AuditEntry): string[] {
  return [
    `${entry.at.slice(0, 19)}Z`,
    entry.actor,
    entry.door ?? '',
    entry.action,
    objectOf(entry),
    changeOf(entry),
    entry.bulkId === null ? '' : String(entry.bulkId),
    entry.reason?.split('\n')[0] ?? '',
  ];
}

function objectOf({ taskUuid, step, target, entries }: AuditEntry): string {
  if (entries > 1) return `${target}, ${upTo(entries, MOST_FOLDED)} actions`;
  if (taskUuid === null) return target ?? '';
  return step === null ? taskUuid : `${taskUuid} ${step}`;
}

function changeOf({ fromState, toState }: AuditEntry): string {
  if (toState === null || toState === fromState) return '';
  return fromState === null ? painted(toState) : `${pc.dim(`${fromState} →`)} ${painted(toState)}`;
}
