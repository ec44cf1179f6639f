import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import { LATE_SECONDS } from './waits.ts';

/** Problems of each kind are counted up to this number, in all namespaces together. */
export const MOST_PROBLEMS = 10_000;

/** The template of the task of a row `r`. `offset 0` keeps the lookup of each task by key. */
const taskOf = (where: string): string =>
  `(select template_id from tasker.task x where x.task_uuid = r.task_uuid ${where} offset 0) t`;

const NAMESPACE_PROBLEMS = sql('namespace_problems')`
with found as (
  (select 'stale' kind, t.template_id from tasker.task_watch r cross join lateral ${taskOf('and x.done_at is null')}
    where r.rule is not null limit ${MOST_PROBLEMS})
  union all
  (select 'deadDeliveries', t.template_id from tasker.event_dead r cross join lateral ${taskOf('')} limit ${MOST_PROBLEMS})
  union all
  (select 'lateTimers', template_id from tasker.wait
    where ended_at is null and due_at < now() - interval '${LATE_SECONDS} seconds' limit ${MOST_PROBLEMS}))
select n.name namespace, f.kind, count(*)::int count
  from found f join tasker.template m on m.id = f.template_id join tasker.namespace n on n.id = m.namespace_id
 group by 1, 2
union all
select s.spec -> 'template' ->> 'namespace', 'lateSchedules', count(*)::int
  from (select spec from tasker.schedule where wake_at < tasker.schedule_now() - interval '10 seconds' limit ${MOST_PROBLEMS}) s
 group by 1`;

/** The kinds of problems that are counted for each namespace. */
export const PROBLEM_KINDS = ['stale', 'deadDeliveries', 'lateTimers', 'lateSchedules'] as const;

/** A kind of problem that is counted for each namespace. */
export type ProblemKind = (typeof PROBLEM_KINDS)[number];

/** The problems of one kind in a namespace. */
export interface ProblemsRow {
  namespace: string;
  kind: ProblemKind;
  count: number;
}

/**
 * Counts by namespace the tasks that exceed a limit of their lifecycle, the dead deliveries of events, the waits that have
 * been due for more than five seconds, and the schedules that are more than ten seconds late. Up to 10,000 of each kind.
 */
export async function namespaceProblems(db: Db): Promise<ProblemsRow[]> {
  return (await db.query<ProblemsRow>(NAMESPACE_PROBLEMS)).rows;
}
