import type { Db } from '../../db/statement.ts';
import { lists, made, sql } from '../sql.ts';

/** The lists of an archived task, and the tables whose rows they have. Other lists have separate statements. */
const RESTORED: readonly (readonly [list: string, table: string])[] = [
  ['steps', 'step'],
  ['history', 'history'],
  ['step_logs', 'step_log'],
  ['batches', 'batch'],
  ['batch_workers', 'batch_worker'],
  ['lists', 'for_each'],
  ['list_pages', 'for_each_page'],
  ['failed_elements', 'failed_element'],
  ['checkpoints', 'checkpoint'],
  ['waits', 'wait'],
  ['completion_tokens', 'completion_token'],
  ['earlier_steps', 'earlier_step'],
  ['schedules', 'scheduled_task'],
  ['signals', 'signal'],
  ['votes', 'vote'],
  ['dead_letters', 'dead_letter'],
  ['dead_letter_notes', 'dead_letter_note'],
];

/**
 * The column with the id of the transaction that wrote a row, by which uncounted rows are found. Null in restored rows.
 */
const WRITER = 'tx';

const COLUMNS = sql('columns_to_restore')`
select c.table_name "table", string_agg(quote_ident(c.column_name), ', ' order by c.ordinal_position) columns
  from information_schema.columns c
 where c.table_schema = 'tasker' and c.is_generated = 'NEVER' and c.identity_generation is null
   and c.table_name = any ($1::text[])
   and (c.column_default is null or c.column_name = '${WRITER}' or $2::jsonb -> (c.table_name::text) ? (c.column_name::text))
 group by 1`;

const RESTORE_TASKS = sql('restore_tasks')``;
const RESTORE_ROWS = sql('restore_rows')``;
const RESTORE_ACTS = sql('restore_acts')``;

/** An archived task: its line, and the id of its template's snapshot in this database. */
export interface ArchivedLine {
  taskUuid: string;
  line: string;
  templateId: number;
}

/**
 * The columns of the tables to restore, by table. A column with a default that was added after the archive was written
 * is omitted, so the default is used.
 */
export type RestoredColumns = ReadonlyMap<string, string>;

/** Returns the columns to restore. `keys`: the keys of the rows in the archive, by list. */
export async function restoredColumns(
  db: Db,
  keys: Readonly<Record<string, readonly string[]>>,
): Promise<RestoredColumns> {
  const tables = [['task', 'task'], ['operator_actions', 'operator_action'], ['events', 'domain_event'], ...RESTORED];
  const byTable = Object.fromEntries(tables.map(([list, table]) => [table!, keys[list!] ?? []]));
  const { rows } = await db.query<{ table: string; columns: string }>(COLUMNS, [
    tables.map(([, table]) => table),
    JSON.stringify(byTable),
  ]);
  return new Map(rows.map((row) => [row.table, row.columns]));
}

const LINES = `unnest($1::uuid[], $2::text[]) d (task_uuid, line)`;

/**
 * Inserts archived tasks that do not exist, with all rows that belong to them, and returns their ids. Call it in a
 * transaction.
 */
export async function restoreTasks(
  db: Db,
  lines: readonly ArchivedLine[],
  columns: RestoredColumns,
): Promise<string[]> {
  const tasks = columns.get('task')!;
  const { rows } = await db.query<{ taskUuid: string }>(
    made(
      RESTORE_TASKS,
      `insert into tasker.task (${tasks})
       select ${prefixed('r', tasks)}
         from unnest($1::uuid[], $2::text[], $3::int[]) d (task_uuid, line, template_id)
         cross join lateral jsonb_populate_record(null::tasker.task, (d.line::jsonb -> 'task')
           || jsonb_build_object('template_id', d.template_id, 'restored_at', now())) r
        order by d.task_uuid
       on conflict (task_uuid) do nothing returning task_uuid "taskUuid"`,
    ),
    [lines.map((one) => one.taskUuid), lines.map((one) => one.line), lines.map((one) => one.templateId)],
  );
  const restored = new Set(rows.map((row) => row.taskUuid));
  const fresh = lines.filter((one) => restored.has(one.taskUuid));
  if (fresh.length === 0) return [];
  const values = [fresh.map((one) => one.taskUuid), fresh.map((one) => one.line)];
  await Promise.all([
    ...RESTORED.map(([list, table]) =>
      db.query(made(RESTORE_ROWS, `${insertOf(list, table, columns)} on conflict do nothing`), values),
    ),
    db.query(RESTORE_EVENTS, values),
    db.query(made(RESTORE_ACTS, insertOfActs(columns)), values),
    db.query(RESTORE_WORKERS, values),
  ]);
  return [...restored];
}

function insertOf(list: string, table: string, columns: RestoredColumns): string {
  const names = columns.get(table)!;
  return `insert into tasker.${table} (${names})
    select ${prefixed('r', names)}
      from ${LINES} cross join lateral jsonb_populate_recordset(null::tasker.${table}, d.line::jsonb -> '${list}') r`;
}

/**
 * Returns the statement that restores the audit of a task. If the database still has one entry of the task, it has all
 * of them, and nothing is restored.
 */
function insertOfActs(columns: RestoredColumns): string {
  return `${insertOf('operator_actions', 'operator_action', columns)}
     where not exists (select 1 from tasker.operator_action a where a.task_uuid = d.task_uuid offset 0)
     order by r.id`;
}

function prefixed(alias: string, columns: string): string {
  return columns.replaceAll(/[^, ]+/g, (name) => (name === WRITER ? 'null' : `${alias}.${name}`));
}

// A restored event has a negative id, which readers of the log never reach, so no group receives it again. The newest
// event gets its id first, so that the ids of a task's events grow with time. Events that are still in the log are not
// restored.
const RESTORE_EVENTS = sql('restore_events')`
insert into tasker.domain_event (id, event_id, name, version, task_uuid, idx, attempt, number, publisher, payload, metadata,
                                 execution, fired_at)
overriding system value
select -nextval(pg_get_serial_sequence('tasker.domain_event', 'id')), x.event_id, x.name, x.version, x.task_uuid, x.idx,
       x.attempt, x.number, x.publisher, x.payload, x.metadata, x.execution, x.fired_at
  from (select r.* from ${LINES} cross join lateral jsonb_populate_recordset(null::tasker.domain_event, d.line::jsonb -> 'events') r
         where not exists (select 1 from tasker.domain_event e where e.event_id = r.event_id offset 0)
         order by r.id desc offset 0) x`;

// The names of workers in the history. In another database, the same id may belong to another worker.
const RESTORE_WORKERS = sql('restore_workers')`
insert into tasker.past_worker (id, name, host)
select distinct on (h.worker_id) h.worker_id, h.worker, h.host
  from ${LINES} cross join lateral jsonb_to_recordset(d.line::jsonb -> 'history') h (worker_id bigint, worker text, host text)
 where h.worker is not null and h.host is not null
   and not exists (select 1 from tasker.worker w where w.id = h.worker_id offset 0)
 order by h.worker_id
on conflict do nothing`;

// A request with the same key may have created another task since the prune. That task keeps the key.
const RESTORE_IDENTITIES = sql('restore_identities')`
insert into tasker.task_identity as i (hash, task_uuid, request_hash, digest)
select decode(d.hash, 'hex'), d.task_uuid, case when y.task_uuid is null then decode(d.request_hash, 'hex') end, decode(d.digest, 'hex')
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) d (task_uuid, hash, request_hash, digest)
  left join lateral (
    select task_uuid from tasker.task_identity x where x.request_hash = decode(d.request_hash, 'hex') offset 0) y on true
 order by 1
on conflict (hash) do update set prune_id = null, pruned_at = null where i.task_uuid = excluded.task_uuid
returning task_uuid "taskUuid"`;

/** Restores the identities of tasks, unless another task now has them. Returns the tasks that have their identities. */
export async function restoreIdentities(
  db: Db,
  identities: readonly { taskUuid: string; hash: string; requestHash: string | null; digest: string | null }[],
): Promise<string[]> {
  const values = lists(identities, 'taskUuid', 'hash', 'requestHash', 'digest');
  const { rows } = await db.query<{ taskUuid: string }>(RESTORE_IDENTITIES, values);
  return rows.map((row) => row.taskUuid);
}

const SNAPSHOT_OF_DIGEST = sql('snapshot_of_digest')`
select m.id from tasker.template m join tasker.namespace n on n.id = m.namespace_id
 where n.name = $1 and m.name = $2 and m.version = $3 and m.digest = $4`;

/** Returns the id of a registered snapshot. */
export async function snapshotOfDigest(
  db: Db,
  { namespace, name, version, digest }: { namespace: string; name: string; version: string; digest: string },
): Promise<number | undefined> {
  return (await db.query<{ id: number }>(SNAPSHOT_OF_DIGEST, [namespace, name, version, digest])).rows[0]?.id;
}
