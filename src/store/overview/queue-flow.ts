import type { Db } from '../../db/statement.ts';
import { ALL_STEPS_IDX } from '../analytics/aggregate.ts';
import { partsOf } from '../queue-id.ts';
import { sql } from '../sql.ts';
import { MOST_COUNTED } from './queues.ts';

/** Running steps of a template are counted up to this number. */
const MOST_RUNNING = 10_000;

const NOTE_DEPTHS = sql('note_queue_depths')`
insert into tasker.queue_depth (at, namespace_id, ready, running)
select now(), n.id, q.ready, coalesce(r.running, 0)
  from tasker.namespace n
 cross join lateral (
   select count(*)::int ready from (
     select 1 from tasker.queue x where x.namespace_id = any (${partsOf('n.id')}) limit ${MOST_COUNTED}) y) q
  left join (
   select m.namespace_id, sum(c.running)::int running
     from tasker.template m cross join lateral (
       select count(*) running from (
         select 1 from tasker.step_search x where x.template_id = m.id and x.state = 'in_progress' limit ${MOST_RUNNING}) y) c
    group by 1) r on r.namespace_id = n.id
 where not exists (select 1 from tasker.queue_depth d where d.at > now() - interval '50 seconds')
on conflict do nothing`;

const FORGET_DEPTHS = sql('forget_queue_depths')`delete from tasker.queue_depth where at < now() - interval '1 hour'`;

/** Stores the ready and running steps of each namespace, unless that was done less than a minute ago. Deletes old ones. */
export async function noteQueueDepths(db: Db): Promise<void> {
  await db.query(FORGET_DEPTHS);
  await db.query(NOTE_DEPTHS);
}

// Compares with the depths of ten minutes ago; in a new database, with empty queues at its beginning. If no process
// stored depths at that time, compares with the first depths since then, or the last before. A depth that was just
// stored says nothing. The minute in which a depth was stored counts in part.
const QUEUE_FLOWS = sql('queue_flows')`
with base as materialized (
  select coalesce(
    (select max(at) from tasker.queue_depth where at between now() - interval '11 minutes' and now() - interval '570 seconds'),
    (select since from tasker.analytics_state where since >= now() - interval '11 minutes'),
    (select min(at) from tasker.queue_depth where at between now() - interval '11 minutes' and now() - interval '2 minutes'),
    (select max(at) from tasker.queue_depth where at between now() - interval '1 day' and now() - interval '2 minutes'),
    (select min(at) from tasker.queue_depth where at between now() - interval '2 minutes' and now() - interval '30 seconds')) at,
    (select since from tasker.analytics_state) began),
ended as materialized (
  select m.namespace_id, sum(o.attempts * case when o.at < b.at and b.at > b.began then 1 - extract(epoch from b.at - o.at) / 60
                                               else 1 end)::float8 attempts
    from base b cross join lateral (
      select at, template_id, completed + failed + lost + cancelled + released attempts from tasker.analytics x
       where x.minutes = 1 and x.at >= date_trunc('minute', b.at) and x.idx = ${ALL_STEPS_IDX} and x.idx < 0 offset 0) o
    join tasker.template m on m.id = o.template_id
   group by 1)
select n.id "namespaceId", tasker.iso(b.at) since, (extract(epoch from now() - b.at) / 60)::float8 minutes,
       coalesce(d.ready, 0) ready, coalesce(d.running, 0) running, coalesce(e.attempts, 0)::float8 ended
  from base b cross join tasker.namespace n
  left join tasker.queue_depth d on d.at = b.at and d.namespace_id = n.id
  left join ended e on e.namespace_id = n.id
 where b.at is not null and (select counted_at from tasker.analytics_state) > now() - interval '1 minute'`;

/** The changes of a queue since its depth was stored. */
export interface QueueFlowRow {
  namespaceId: number;
  /** When its depth was stored, and how many minutes ago. */
  since: string;
  minutes: number;
  /** Its ready and running steps then. */
  ready: number;
  running: number;
  /** Number of attempts that have ended since then. */
  ended: number;
}

/**
 * Returns the depths of the queues about ten minutes ago, and the attempts since then. Returns nothing if no depth is known,
 * or if attempts are not being counted.
 */
export async function queueFlows(db: Db): Promise<QueueFlowRow[]> {
  return (await db.query<QueueFlowRow>(QUEUE_FLOWS)).rows;
}

const RECENT_DEPTHS = sql('recent_queue_depths')`
select n.name namespace, floor(extract(epoch from now() - d.at) / 60)::int "minutesAgo", d.ready
  from tasker.queue_depth d join tasker.namespace n on n.id = d.namespace_id
 where d.at > now() - interval '1 hour' order by d.at`;

/** The ready steps of a namespace at a past minute. */
export interface PastDepthRow {
  namespace: string;
  minutesAgo: number;
  ready: number;
}

/** Returns the stored depths of the last hour, the oldest first. */
export async function recentQueueDepths(db: Db): Promise<PastDepthRow[]> {
  return (await db.query<PastDepthRow>(RECENT_DEPTHS)).rows;
}
