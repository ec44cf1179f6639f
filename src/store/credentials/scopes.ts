import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const OF_TASK = sql('namespace_of_task')`
select n.name namespace from tasker.task t join tasker.template m on m.id = t.template_id
  join tasker.namespace n on n.id = m.namespace_id
 where t.task_uuid = $1`;
const OF_DEAD_LETTER = sql('namespace_of_dead_letter')`
select n.name namespace from tasker.dead_letter d join tasker.template m on m.id = d.template_id
  join tasker.namespace n on n.id = m.namespace_id
 where d.id = $1`;
const OF_SCHEDULE = sql('namespace_of_schedule')`
select spec #>> '{template,namespace}' namespace from tasker.schedule where name = $1`;

const STATEMENTS = { task: OF_TASK, dead_letter: OF_DEAD_LETTER, schedule: OF_SCHEDULE } as const;

/** The kinds of things that belong to a namespace. */
export type ScopedThing = keyof typeof STATEMENTS;

/** Returns the namespace of a task or a dead letter by its id, or of a schedule by its name. */
export async function namespaceOf(db: Db, thing: ScopedThing, key: string): Promise<string | undefined> {
  return (await db.query<{ namespace: string }>(STATEMENTS[thing], [key])).rows[0]?.namespace;
}
