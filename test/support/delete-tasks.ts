import type { Sql } from './database.ts';

/** The tables whose rows belong to tasks or workers. `task_change` and `search_writer` announce changes of tasks. */
const OF_TASKS = `
  do $$ declare name text; begin
    for name in
      select c.table_name from information_schema.columns c
        join information_schema.tables t using (table_schema, table_name)
       where c.table_schema = 'tasker' and c.column_name = 'task_uuid' and t.table_type = 'BASE TABLE'
    loop execute 'delete from tasker.' || name; end loop;
  end $$;
  delete from tasker.signal_inbox; delete from tasker.task_change; delete from tasker.search_writer;
  delete from tasker.missing_handler; delete from tasker.worker;
  update tasker.template set paused = false where paused`;

/**
 * Deletes all tasks and workers of a database, so that the next test can use it. Deleting them takes a tenth of the time
 * that a new database and a new tasker take. Namespaces and templates remain, and no template is paused.
 */
export async function deleteTasks(sql: Sql): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await sql(OF_TASKS);
      return;
    } catch (error) {
      // Statements of the tasker in the background, such as those of a late sweep, lock the same rows in another order.
      if ((error as { code?: string }).code !== '40P01' || tries === 5) throw error;
    }
  }
}
