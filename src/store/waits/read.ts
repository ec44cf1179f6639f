import type { Db } from '../../db/statement.ts';
import type { Fields } from '../../model/json.ts';
import type { Wait } from '../../model/waits.ts';
import { columns, sql } from '../sql.ts';
import type { StepKey } from '../step-key.ts';

/** The columns of a wait `w`, as {@link waitOf} reads them. */
export const WAIT_COLUMNS = `
  w.task_uuid "taskUuid", w.idx, w.kind, w.attempt, w.template_id "templateId", w.rank, tasker.iso(w.since) since,
  tasker.iso(w.until) until, tasker.iso(w.due_at) "dueAt", w.calls, w.settings::text, w.progress::text,
  tasker.iso(w.ended_at) "endedAt", w.ended_by "endedBy"`;

/** A row with {@link WAIT_COLUMNS}. */
export interface WaitRow extends Omit<Wait, 'settings' | 'progress'> {
  settings: string;
  progress: string;
}

/** Returns a wait, with its settings and its progress parsed. */
export function waitOf<Row extends WaitRow>(
  row: Row,
): Omit<Row, 'settings' | 'progress'> & Pick<Wait, 'settings' | 'progress'> {
  return { ...row, settings: JSON.parse(row.settings) as Fields, progress: JSON.parse(row.progress) as Fields };
}

/** A wait that has not ended. */
export interface OpenWait extends Wait {
  /** Whether its timeout has passed by the clock of the database. Input that arrives now is late. */
  overdue: boolean;
  /** Whether the engine must act now. */
  due: boolean;
  /** The time of the database, in ISO 8601. */
  now: string;
}

type OpenRow = WaitRow & Pick<OpenWait, 'overdue' | 'due' | 'now'>;

const OPEN_WAITS = sql('open_waits')`
select ${WAIT_COLUMNS}, coalesce(w.until <= clock_timestamp(), false) overdue,
       coalesce(w.due_at <= clock_timestamp(), false) due, tasker.iso(clock_timestamp()) now
  from unnest($1::uuid[], $2::int[]) with ordinality d (task_uuid, idx, ord)
 cross join lateral (
   select * from tasker.wait x where x.task_uuid = d.task_uuid and x.idx = d.idx and x.ended_at is null offset 0) w
 order by d.ord`;

/** Returns the waits of these steps that have not ended. Call it after lockTasks to act on them. */
export async function openWaits(db: Db, steps: readonly StepKey[]): Promise<OpenWait[]> {
  if (steps.length === 0) return [];
  return (await db.query<OpenRow>(OPEN_WAITS, columns(steps, 'taskUuid', 'idx'))).rows.map(waitOf);
}

const WAITS_OF_TASK = sql('waits_of_task')`
select ${WAIT_COLUMNS},
       coalesce(case when w.kind = 'call' then (w.settings ->> 'number')::int end, h.number, s.number, w.attempt) number
  from tasker.wait w
  left join lateral (
    select coalesce(x.number, x.attempt) number from tasker.history x
     where x.task_uuid = w.task_uuid and x.idx = w.idx and x.attempt = w.attempt offset 0) h on true
  left join lateral (
    select x.attempts - x.spared number from tasker.step x
     where x.task_uuid = w.task_uuid and x.idx = w.idx and x.attempts = w.attempt and x.state = 'waiting' offset 0) s on true
 where w.task_uuid = $1 order by w.idx`;

/** A wait, with the number of its attempt, without starts that did not count. */
export interface WaitOfTask extends Wait {
  number: number;
}

/** Returns the waits of a task by their steps, including ended waits. */
export async function waitsOf(db: Db, taskUuid: string): Promise<WaitOfTask[]> {
  return (await db.query<WaitRow & { number: number }>(WAITS_OF_TASK, [taskUuid])).rows.map(waitOf);
}
