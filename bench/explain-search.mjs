// Fills the search tables for `npm run explain`, and runs each search.
import { createTasker, silentLogger } from 'tasker-core';
import { countedAlready } from './fill.mjs';
import { fillNight, nightTemplates } from './fill-night.mjs';
import { searches } from './searches.mjs';

const ENDED = 200_000;
const OPEN = 20_000;

/** Runs every search that an index serves: the first page, the next page, and back to the first page. */
export async function everySearch(url, probe) {
  const options = {
    databaseUrl: url,
    templates: nightTemplates(),
    worker: false,
    autoStart: false,
    logger: silentLogger,
  };
  const tasker = await createTasker(options);
  await fillNight(probe, { ended: ENDED, open: OPEN });
  await countedAlready(probe);
  const { rows } = await probe.query(`
    select (select correlation_id from tasker.task_search where correlation_id is not null order by created_at desc limit 1),
           (select parent_correlation_id from tasker.task_search where parent_correlation_id is not null order by created_at limit 1)`);
  const [{ correlation_id: correlationId, parent_correlation_id: parentCorrelationId }] = rows;
  for (const { filter, steps, slow, wide, sort, order } of searches({ correlationId, parentCorrelationId })) {
    if (slow || wide) continue;
    const find = (cursor) =>
      steps ? tasker.listSteps(filter, { order, cursor }) : tasker.listTasks(filter, { sort, order, cursor });
    const first = await find(undefined);
    if (first.nextCursor === null) continue;
    const second = await find(first.nextCursor);
    if (second.previousCursor !== null) await find(second.previousCursor);
  }
  const { tasks } = await tasker.listTasks({ open: true }, { limit: 500 });
  await tasker.listTasks({}, { before: tasks.at(-1).taskUuid });
  for (const task of tasks) tasker.engine.search.changed(task.taskUuid);
  await tasker.engine.search.flush();
  await tasker.stop();
}
