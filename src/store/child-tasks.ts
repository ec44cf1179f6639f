import type { Db } from '../db/statement.ts';
import { columns, sql } from './sql.ts';

const LEVEL_OF_TASK = sql('level_of_task')`
select t.initiator, c.root_uuid "rootUuid", coalesce(c.level, 0)::int as level
  from tasker.task t left join tasker.child_task c on c.child_uuid = t.task_uuid
 where t.task_uuid = $1`;

/** The place of a task among parent and child tasks. */
export interface LevelOfTask {
  initiator: string | null;
  /** Null for a task without a parent. */
  rootUuid: string | null;
  /** Number of tasks above it. */
  level: number;
}

/** Returns the place of a task. Undefined if the task does not exist. */
export async function levelOfTask(db: Db, taskUuid: string): Promise<LevelOfTask | undefined> {
  return (await db.query<LevelOfTask>(LEVEL_OF_TASK, [taskUuid])).rows[0];
}

const INSERT_CHILDREN = sql('insert_children')`
insert into tasker.child_task (child_uuid, parent_uuid, idx, attempt, root_uuid, level, abandoned)
select d.child_uuid, d.parent_uuid, d.idx, w.attempt, d.root_uuid, d.level, d.abandoned
  from unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::smallint[], $6::boolean[])
       d (child_uuid, parent_uuid, idx, root_uuid, level, abandoned)
 cross join lateral (
   select x.attempt from tasker.wait x where x.task_uuid = d.parent_uuid and x.idx = d.idx and x.ended_at is null offset 0) w`;

/** A child task, and the step that waits for it. */
export interface NewChild {
  childUuid: string;
  parentUuid: string;
  idx: number;
  rootUuid: string;
  level: number;
  /** Whether the child continues when its step no longer waits for it. */
  abandoned: boolean;
}

/** Links new tasks to the steps that wait for them. Call it in the transaction that begins the waits. */
export async function insertChildren(db: Db, children: readonly NewChild[]): Promise<void> {
  await db.query(
    INSERT_CHILDREN,
    columns(children, 'childUuid', 'parentUuid', 'idx', 'rootUuid', 'level', 'abandoned'),
  );
}

// The open wait of a step for its child `c`. `attempt` never repeats, so a step never waits again for a child that it no longer
// waits for.
const WAIT = `
  left join lateral (
    select x.idx from tasker.wait x
     where x.task_uuid = c.parent_uuid and x.idx = c.idx and x.attempt = c.attempt and x.ended_at is null offset 0) w on true`;

const STATE_OF_CHILD = `
select c.child_uuid "childUuid", c.parent_uuid "parentUuid", c.idx, c.abandoned, t.done_at is not null ended,
       t.task_uuid is null gone, w.idx is not null awaited
  from c
  left join lateral (select x.task_uuid, x.done_at from tasker.task x where x.task_uuid = c.child_uuid offset 0) t on true${WAIT}
 order by c.child_uuid`;

const OPEN_CHILDREN = sql('open_children')`
with c as (
  select * from tasker.child_task where settled_at is null and child_uuid > $1 order by child_uuid limit $2)${STATE_OF_CHILD}`;

const CHILDREN_AMONG = sql('children_among')`
with c as (
  select * from tasker.child_task where settled_at is null and child_uuid = any ($1::uuid[])
  union
  select * from tasker.child_task where settled_at is null and parent_uuid = any ($1::uuid[]))${STATE_OF_CHILD}`;

/** A child task that is not settled. */
export interface OpenChild extends Pick<NewChild, 'childUuid' | 'parentUuid' | 'idx' | 'abandoned'> {
  ended: boolean;
  /** Whether the child no longer exists. */
  gone: boolean;
  /** Whether its step waits for it. */
  awaited: boolean;
}

/** Returns a page of the children that are not settled, after an id and in the order of their ids. */
export async function openChildren(db: Db, after: string, limit: number): Promise<OpenChild[]> {
  return (await db.query<OpenChild>(OPEN_CHILDREN, [after, limit])).rows;
}

/** Returns the children among these tasks, and the children of these tasks, that are not settled. */
export async function childrenAmong(db: Db, taskUuids: readonly string[]): Promise<OpenChild[]> {
  return (await db.query<OpenChild>(CHILDREN_AMONG, [`{${taskUuids.join(',')}}`])).rows;
}

const SETTLE_CHILDREN = sql('settle_children')`
update tasker.child_task set settled_at = statement_timestamp() where child_uuid = any ($1::uuid[]) and settled_at is null`;

/** Marks children whose end was delivered, or whose step no longer waits for them. */
export async function settleChildren(db: Db, childUuids: readonly string[]): Promise<void> {
  if (childUuids.length > 0) await db.query(SETTLE_CHILDREN, [`{${childUuids.join(',')}}`]);
}

const CHILDREN_OF_PARENT = sql('children_of_parent')`
select child_uuid id from tasker.child_task where parent_uuid = $1 order by child_uuid desc limit $2`;
const TASKS_BELOW_ROOT = sql('tasks_below_root')`
select child_uuid id from tasker.child_task where root_uuid = $1 order by child_uuid desc limit $2`;
/** Maximum number of child tasks that a search considers. */
export const MOST_SEARCHED = 10_000;

/**
 * Returns the ids of the children of a task, or of the tasks below a root task. Returns one more than {@link MOST_SEARCHED} if
 * there are more.
 */
export async function childrenBelow(db: Db, kind: 'parent' | 'root', taskUuid: string): Promise<string[]> {
  const statement = kind === 'parent' ? CHILDREN_OF_PARENT : TASKS_BELOW_ROOT;
  return (await db.query<{ id: string }>(statement, [taskUuid, MOST_SEARCHED + 1])).rows.map(({ id }) => id);
}

// The name of a step of the parent `p`, which may have been deleted.
const STEP_NAME = `
       coalesce(ts.name, '') step
  from c
  left join lateral (select x.template_id from tasker.task x where x.task_uuid = c.parent_uuid offset 0) p on true
  left join tasker.template_step ts on ts.template_id = p.template_id and ts.idx = c.idx`;

const CHILDREN_OF_TASK = sql('children_of_task')`
with c as (select * from tasker.child_task where parent_uuid = $1 order by child_uuid desc limit $2)
select c.child_uuid "taskUuid", w.idx is not null awaited,${STEP_NAME}${WAIT}
 order by c.child_uuid desc`;

/** A child of a task. */
export interface ChildRow {
  taskUuid: string;
  /** The step of the parent that started it. */
  step: string;
  /** Whether its step waits for it. */
  awaited: boolean;
}

/** Returns the newest children of a task. */
export async function childrenOfTask(db: Db, parentUuid: string, limit: number): Promise<ChildRow[]> {
  return (await db.query<ChildRow>(CHILDREN_OF_TASK, [parentUuid, limit])).rows;
}

const COUNT_OPEN_CHILDREN = sql('count_open_children')`
select count(*)::int open from (
  select 1 from tasker.child_task c
   cross join lateral (select 1 from tasker.task x where x.task_uuid = c.child_uuid and x.done_at is null offset 0) t
   where c.parent_uuid = $1) x`;

/** Returns how many children of a task have not ended. */
export async function countOpenChildren(db: Db, parentUuid: string): Promise<number> {
  return (await db.query<{ open: number }>(COUNT_OPEN_CHILDREN, [parentUuid])).rows[0]!.open;
}

const PARENT_OF_TASK = sql('parent_of_task')`
with c as (select * from tasker.child_task where child_uuid = $1)
select c.parent_uuid "taskUuid", c.root_uuid "rootUuid",${STEP_NAME}`;

/** The step that started a child task. */
export interface ParentRow {
  taskUuid: string;
  step: string;
  rootUuid: string;
}

/** Returns the parent of a task. Undefined if it has none. */
export async function parentOfTask(db: Db, childUuid: string): Promise<ParentRow | undefined> {
  return (await db.query<ParentRow>(PARENT_OF_TASK, [childUuid])).rows[0];
}

// Not hot: on request of an operator who deletes a task; looks up the task and its root by key.
const NEEDED_CHILD = sql('needed_child')`
select c.parent_uuid "parentUuid", c.root_uuid "rootUuid", c.settled_at is not null settled
  from tasker.child_task c where c.child_uuid = $1 and ${neededChild('c')}`;

/** Returns the condition under which a child `c` must not be deleted: its end is not delivered, or its root task is open. */
export function neededChild(c: string): string {
  return `(${c}.settled_at is null or exists (
    select 1 from tasker.task r where r.task_uuid = ${c}.root_uuid and r.done_at is null offset 0))`;
}

/** The tasks that still need a child. `settled`: whether its end was delivered. */
export interface NeededBy {
  parentUuid: string;
  rootUuid: string;
  settled: boolean;
}

/** Returns the tasks that still need a child. Undefined if none does, or the task has no parent. */
export async function neededBy(db: Db, childUuid: string): Promise<NeededBy | undefined> {
  return (await db.query<NeededBy>(NEEDED_CHILD, [childUuid])).rows[0];
}
