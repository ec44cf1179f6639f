import type { Db, Statement } from '../db/statement.ts';

/** Parts that the log is cut into; all events of a task are in one. */
export const EVENT_PARTS = 16;

/** Who gets events. */
export interface NewEventGroup {
  name: string;
  patterns: readonly string[];
  /** The patterns as a regular expression. */
  matching: string;
}

const REFRESH_GROUP: Statement = {
  name: 'refresh_event_group',
  text: `
update tasker.event_group set patterns = $2::text[], matching = $3, seen_at = now() where name = $1 returning id`,
};

/** Says anew what a group gets, and that somebody works for it. Undefined: there is none of this name. */
export async function refreshGroup(db: Db, group: NewEventGroup): Promise<number | undefined> {
  return (await db.query<{ id: number }>(REFRESH_GROUP, [group.name, group.patterns, group.matching])).rows[0]?.id;
}

const CREATE_GROUP: Statement = {
  name: 'create_event_group',
  text: `
insert into tasker.event_group (name, patterns, matching) values ($1, $2::text[], $3)
on conflict (name) do update set patterns = excluded.patterns, matching = excluded.matching, seen_at = now()
returning id`,
};

const CREATE_CURSORS: Statement = {
  name: 'create_event_cursors',
  text: `
insert into tasker.event_cursor (group_id, part, chunk)
select $1, part, case when $2 then 0 else h.chunk + 1 end
  from generate_series(0, ${EVENT_PARTS - 1}) part cross join tasker.event_head h
on conflict (group_id, part) do nothing`,
};

/** Makes a group that gets what has no place yet, or all that is kept. Two at once make one. */
export async function createGroup(
  db: Db,
  { fromBeginning, ...group }: NewEventGroup & { fromBeginning: boolean },
): Promise<number> {
  const { rows } = await db.query<{ id: number }>(CREATE_GROUP, [group.name, group.patterns, group.matching]);
  await db.query(CREATE_CURSORS, [rows[0]!.id, fromBeginning]);
  return rows[0]!.id;
}
