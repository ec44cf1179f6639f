import type { Db } from '../db/statement.ts';
import type { AuditAction } from '../model/audit-actions.ts';
import type { Operator } from './operator-actions.ts';
import { sql } from './sql.ts';

const NOTE_ACT = sql('note_act')`
insert into tasker.operator_action (at, action, task_uuid, idx, target, from_state, to_state, details, actor, reason, door, bulk_id)
values (statement_timestamp(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`;

/** An action for the audit: on a task, on one of its steps, or on the `target`. */
export interface Act {
  action: AuditAction;
  taskUuid?: string;
  idx?: number;
  /** Such as `template shop/fulfil@1.0.0`, `namespace shop` or `worker w1`. */
  target?: string;
  fromState?: string;
  toState?: string;
  /** JSON text. */
  details?: string;
}

/** Writes an action to the audit. Call it in the transaction of the action. */
export async function noteAct(db: Db, act: Act, { actor, reason, door, bulkId }: Operator): Promise<void> {
  const { action, taskUuid, idx, target, fromState, toState, details } = act;
  const object = [action, taskUuid ?? null, idx ?? null, target ?? null];
  const states = [fromState ?? null, toState ?? null, details ?? null];
  await db.query(NOTE_ACT, [...object, ...states, actor, reason, door, bulkId]);
}

/** The conditions on an action. The planner treats an omitted one as a constant, because each call is planned separately. */
const meets = (a: string): string => `
         ($1::text is null or ${a}.actor = $1) and ($2::text is null or ${a}.action = $2) and ($3::text is null or ${a}.door = $3)
     and ($4::timestamptz is null or ${a}.at >= $4) and ($5::timestamptz is null or ${a}.at < $5)
     and ($6::uuid is null or ${a}.task_uuid = $6) and ($7::bigint is null or ${a}.bulk_id = $7)
     and ($8::text is null or ${a}.target = $8)`;

const COLUMNS = `
  a.id, tasker.iso(a.at) at, a.actor, a.door, a.action, a.task_uuid "taskUuid", a.target, a.from_state "fromState",
  a.to_state "toState", a.reason, a.bulk_id "bulkId", a.details::text, n.template,
  coalesce(n.step, a.details ->> 'step', case when a.idx is not null then 'step ' || a.idx end) step`;
const NAMES = `
  left join lateral (
    select s.name || '/' || m.name || '@' || m.version template, tasker.step_name(bw.name, ts.name, a.idx) step
      from tasker.task t join tasker.template m on m.id = t.template_id join tasker.namespace s on s.id = m.namespace_id
      left join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(a.idx)
      left join tasker.batch_worker bw on bw.task_uuid = t.task_uuid and bw.idx = a.idx
     where t.task_uuid = a.task_uuid offset 0) n on true`;

const LIST_AUDIT = sql('list_audit')`
with page as materialized (
  select * from tasker.operator_action a
   where ${meets('a')}
     and ($9::timestamptz is null or (a.at, a.id) < ($9::timestamptz, $10::bigint))
   order by a.at desc, a.id desc limit $11)
select ${COLUMNS}, 1 entries, null bulk from page a ${NAMES}
 order by a.at desc, a.id desc`;

/** The actions of a bulk action that are folded into one are its start and those on its items. */
const ALONE = `('bulk_stop', 'bulk_resume')`;
/** The actions of one bulk action are counted up to this number. */
const MOST_FOLDED = 10_000;

// A bulk action is represented by its newest action that meets the conditions. The newest is looked up for each bulk
// action: there are far fewer of them than of their actions.
const FOLD_AUDIT = sql('fold_audit')`
with alone as materialized (
  select a.*, null::jsonb bulk from tasker.operator_action a
   where (a.bulk_id is null or a.action in ${ALONE}) and ${meets('a')}
     and ($9::timestamptz is null or (a.at, a.id) < ($9::timestamptz, $10::bigint))
   order by a.at desc, a.id desc limit $11),
folded as materialized (
  select a.*, jsonb_strip_nulls(jsonb_build_object('action', b.action, 'matched', b.matched)) ||
              case when b.filter is null then '{}' else jsonb_build_object('filter', b.filter) end bulk
    from tasker.bulk b cross join lateral (
      select * from tasker.operator_action n
       where n.bulk_id = b.id and n.action not in ${ALONE} and ${meets('n')}
       order by n.at desc, n.id desc limit 1) a
   where $9::timestamptz is null or (a.at, a.id) < ($9::timestamptz, $10::bigint)
   order by a.at desc, a.id desc limit $11),
page as materialized (
  select * from (select * from alone union all select * from folded) a order by a.at desc, a.id desc limit $11)
select ${COLUMNS}, case when a.bulk is null then 1 else f.entries end entries, a.bulk::text
  from page a cross join lateral (
    select count(*)::int entries from (
      select 1 from tasker.operator_action n
       where a.bulk is not null and n.bulk_id = a.bulk_id and n.action not in ${ALONE} and ${meets('n')}
       limit ${MOST_FOLDED}) x) f ${NAMES}
 order by a.at desc, a.id desc`;

/** The conditions on the actions to list. Null means any. */
export interface AuditSearch {
  actor: string | null;
  action: string | null;
  door: string | null;
  after: string | null;
  before: string | null;
  taskUuid: string | null;
  bulkId: number | null;
  target: string | null;
  /** The time and the id of the last action of the previous page. */
  from: { at: string; id: number } | null;
  limit: number;
}

/** An action, as stored in the audit. */
export interface AuditRow {
  id: number;
  at: string;
  actor: string;
  door: string | null;
  action: string;
  taskUuid: string | null;
  /** `namespace/name@version` of the task. Null if it was deleted, or the action is not on a task. */
  template: string | null;
  step: string | null;
  target: string | null;
  fromState: string | null;
  toState: string | null;
  reason: string | null;
  bulkId: number | null;
  /** JSON text. */
  details: string | null;
  /** Number of actions that the row stands for, at most 10,000. */
  entries: number;
  /** JSON text: the action of the bulk action, the number of its items, and its filter. Null unless folded. */
  bulk: string | null;
}

/** Returns actions, newest first. */
export async function listAudit(db: Db, search: AuditSearch): Promise<AuditRow[]> {
  return (await db.query<AuditRow>(LIST_AUDIT, valuesOf(search))).rows;
}

/** Returns actions, newest first, with one row for each bulk action. */
export async function foldAudit(db: Db, search: AuditSearch): Promise<AuditRow[]> {
  return (await db.query<AuditRow>(FOLD_AUDIT, valuesOf(search))).rows;
}

function valuesOf({
  actor,
  action,
  door,
  after,
  before,
  taskUuid,
  bulkId,
  target,
  from,
  limit,
}: AuditSearch): unknown[] {
  const place = [from?.at ?? null, from?.id ?? null];
  return [actor, action, door, after, before, taskUuid, bulkId, target, ...place, limit];
}

const HAS_ACTION = sql('has_action')`
select exists (select 1 from tasker.operator_action where action = $1) found`;

/** Returns whether the audit has an entry of this action. */
export async function hasAction(db: Db, action: string): Promise<boolean> {
  return (await db.query<{ found: boolean }>(HAS_ACTION, [action])).rows[0]!.found;
}

const FORGET_ACTS = sql('forget_acts')`
with gone as (
  delete from tasker.operator_action where id = any (array(
    select id from tasker.operator_action where at < now() - $1 * interval '1 ms' order by at, id limit $2)) returning 1)
select count(*)::int gone from gone`;

/** Deletes the oldest actions that are older than `retentionMs`, at most `limit`, and returns their number. */
export async function forgetActs(
  db: Db,
  { retentionMs, limit }: { retentionMs: number; limit: number },
): Promise<number> {
  return (await db.query<{ gone: number }>(FORGET_ACTS, [retentionMs, limit])).rows[0]!.gone;
}

const FORGET_BULKS = sql('forget_bulks')`
with old as (
  select id from tasker.bulk where seen_at < now() - $1 * interval '1 ms' order by id limit 1 for update skip locked),
items as (
  delete from tasker.bulk_item where bulk_id in (select id from old)),
gone as (
  delete from tasker.bulk where id in (select id from old) returning 1)
select count(*)::int gone from gone`;

/**
 * Deletes the oldest bulk action that was inactive for `retentionMs`, with its items. Returns 1, or 0 if no such action
 * exists.
 */
export async function forgetBulks(db: Db, retentionMs: number): Promise<number> {
  return (await db.query<{ gone: number }>(FORGET_BULKS, [retentionMs])).rows[0]!.gone;
}
