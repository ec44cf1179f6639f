import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/** The version of the lines that {@link archiveLines} writes. */
export const ARCHIVE_FORMAT = 1;

/** The rows of a table as a list in JSON text. Each row has its columns unchanged, so that it can be inserted again. */
const rowsOf = (table: string, order: string, { more = '', join = '' } = {}) => `
  coalesce((select json_agg(row_to_json(r) order by ${order})
              from (select x.*${more} from tasker.${table} x ${join} where x.task_uuid = d.task_uuid offset 0) r), '[]')`;

const NAMED = {
  more: ', tasker.step_name(bw.name, ts.name, x.idx) "step"',
  join: `
    left join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(x.idx)
    left join tasker.batch_worker bw on x.idx >= 131072 and bw.task_uuid = x.task_uuid and bw.idx = x.idx`,
};

const HISTORY = {
  more: `${NAMED.more}, w.name "worker", w.host`,
  join: `${NAMED.join}
    left join lateral (
      select name, host from tasker.worker y where y.id = x.worker_id
      union all select name, host from tasker.past_worker y where y.id = x.worker_id limit 1) w on true`,
};

// Text is built as json and not as jsonb, which is limited to 256 MB.
const ARCHIVE_LINES = sql('archive_lines')`
select json_build_object(
         'task_uuid', d.task_uuid, 'format', ${ARCHIVE_FORMAT}, 'archived_at', tasker.iso(now()),
         'template', json_build_object('namespace', n.name, 'name', m.name, 'version', m.version, 'digest', m.digest),
         'identity', (select encode(i.hash, 'hex') from tasker.task_identity i where i.task_uuid = d.task_uuid limit 1),
         'request', (select json_build_object('key_hash', encode(i.request_hash, 'hex'), 'digest', encode(i.digest, 'hex'))
                       from tasker.task_identity i where i.task_uuid = d.task_uuid and i.digest is not null limit 1),
         'task', (select row_to_json(r) from (select t.*) r),
         'steps', ${rowsOf('step', 'r.idx', NAMED)},
         'history', ${rowsOf('history', 'r.ended_at, r.idx, r.attempt', HISTORY)},
         'operator_actions', ${rowsOf('operator_action', 'r.id', NAMED)},
         'events', ${rowsOf('domain_event', 'r.id', NAMED)},
         'step_logs', ${rowsOf('step_log', 'r.idx, r.attempt')},
         'batches', ${rowsOf('batch', 'r.worker_idx')},
         'batch_workers', ${rowsOf('batch_worker', 'r.idx')},
         'lists', ${rowsOf('for_each', 'r.idx')},
         'list_pages', ${rowsOf('for_each_page', 'r.idx, r.page')},
         'failed_elements', ${rowsOf('failed_element', 'r.idx, r.element')},
         'checkpoints', ${rowsOf('checkpoint', 'r.idx')},
         'waits', ${rowsOf('wait', 'r.idx')},
         'completion_tokens', ${rowsOf('completion_token', 'r.idx, r.attempt')},
         'earlier_steps', ${rowsOf('earlier_step', 'r.idx, r.rerun')},
         'schedules', ${rowsOf('scheduled_task', 'r.due_at')},
         'signals', ${rowsOf('signal', 'r.seq')},
         'votes', ${rowsOf('vote', 'r.idx, r.attempt, r.voted_at')},
         'dead_letters', ${rowsOf('dead_letter', 'r.created_at')},
         'dead_letter_notes', coalesce((
           select json_agg(row_to_json(r) order by r.id) from (
             select x.* from tasker.dead_letter e join tasker.dead_letter_note x on x.entry_id = e.id
              where e.task_uuid = d.task_uuid offset 0) r), '[]'))::text line
  from unnest($1::uuid[]) with ordinality d (task_uuid, ord)
  cross join lateral (select * from tasker.task x where x.task_uuid = d.task_uuid offset 0) t
  join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id
 order by d.ord`;

/** Returns tasks with all rows that belong to them, each as one line of JSON. */
export async function archiveLines(db: Db, taskUuids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ line: string }>(ARCHIVE_LINES, [`{${taskUuids.join(',')}}`]);
  // Line breaks within values are escaped, so all others are between values.
  return rows.map((row) => row.line.replaceAll('\n', ' '));
}
