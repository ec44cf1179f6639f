import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { painted, table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

type AuditFilter = NonNullable<Parameters<Tasker['audit']>[0]>;
type AuditEntry = Awaited<ReturnType<Tasker['audit']>>['entries'][number];

/** Options of `tasker audit list`. */
export interface AuditListOptions extends GlobalOptions, Pick<AuditFilter, (typeof CONDITIONS)[number]> {
  limit: number;
  cursor?: string;
}

const CONDITIONS = ['actor', 'action', 'door', 'after', 'before', 'task', 'bulk', 'target'] as const;

/** `tasker audit list`: lists actions of operators and lifecycles, newest first. */
export async function auditList(options: AuditListOptions): Promise<void> {
  const { limit, cursor, json } = options;
  const given = CONDITIONS.filter((key) => options[key] !== undefined);
  const filter: AuditFilter = Object.fromEntries(given.map((key) => [key, options[key]]));
  await withTasker(options, {}, async (tasker) => {
    const { entries, nextCursor } = await tasker.audit(filter, { limit, cursor });
    if (json) return printJson({ entries: entries.map(snakeKeys), next_cursor: nextCursor });
    if (entries.length === 0) return note(whyNone(given.map((key) => `${key} ${String(options[key])}`)));
    print(table(['time', 'by', 'door', 'action', 'on', 'change', 'bulk', 'reason'], entries.map(rowOf)));
    if (nextCursor !== null) note(`more actions: --cursor ${nextCursor}`);
  });
}

function whyNone(conditions: readonly string[]): string {
  return conditions.length === 0 ? 'no actions of operators yet' : `no action matches: ${conditions.join(', ')}`;
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

function objectOf({ taskUuid, step, target }: AuditEntry): string {
  if (taskUuid === null) return target ?? '';
  return step === null ? taskUuid : `${taskUuid} ${step}`;
}

function changeOf({ fromState, toState }: AuditEntry): string {
  if (toState === null || toState === fromState) return '';
  return fromState === null ? painted(toState) : `${pc.dim(`${fromState} →`)} ${painted(toState)}`;
}
