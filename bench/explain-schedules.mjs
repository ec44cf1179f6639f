// Runs every statement of schedules, for explain.mjs.

const SCHEDULES = 100;
const HOUR_S = 3_600;

/** Adds old outcomes to all schedules, so that the next ones exceed the number that is kept. */
async function fillFirings(probe) {
  await probe.query('update tasker.schedule set firings = 999');
  await probe.query(
    `insert into tasker.schedule_firing (schedule_id, due_at, cause, outcome, reason)
     select schedule_id, date_trunc('second', anchor) - n * interval '1 hour', 'due', 'missed', 'old'
       from tasker.schedule cross join generate_series(1, 1000) n on conflict do nothing`,
  );
}

/** Moves the times of all schedules back by an hour. */
const passHour = (probe) =>
  probe.query(
    `update tasker.schedule set (anchor, passed_at, next_due, wake_at, queued_due) = (
       select anchor - d, passed_at - d, next_due - d, wake_at - d, queued_due - d from (select interval '${HOUR_S} s' d) x)`,
  );

/** Creates schedules of every kind for a template, fires them, and runs every operation on them. */
export async function everySchedule({ tasker, probe, waits }) {
  const { schedules, engine } = tasker;
  const template = `${waits.namespace}/${waits.name}@${waits.version}`;
  const overlaps = ['allow', 'skip', 'queue_one', 'cancel_running'];
  const nameOf = (i) => `schedule-${i}`;
  for (let i = 0; i < SCHEDULES; i++) {
    const how = { overlap: overlaps[i % 4], onFailure: i % 3 === 0 ? 'pause' : 'continue' };
    await schedules.create({ name: nameOf(i), template, every: '1h', ...how });
  }
  await fillFirings(probe);
  for (let hours = 0; hours < 3; hours++) {
    await passHour(probe);
    await engine.schedules.fire();
  }
  await schedules.list({ name: nameOf(1) });
  await schedules.list({}, { limit: 50 });
  await schedules.get(nameOf(2));
  await schedules.firings(nameOf(2), { limit: 20 });
  await schedules.update(nameOf(3), { overlap: 'skip' });
  await schedules.update(nameOf(3), { onFailure: 'pause' });
  await schedules.update(nameOf(4), { overlap: 'skip' });
  await schedules.pause(nameOf(4));
  await schedules.resume(nameOf(4));
  await schedules.trigger(nameOf(5));
  const now = Date.now();
  const [from, to] = [now - 5 * HOUR_S * 1_000, now].map((ms) => new Date(ms).toISOString());
  await schedules.backfill(nameOf(6), { from, to });
  await schedules.get('none').catch(() => undefined);
  const { tasks } = await tasker.listTasks({ namespace: waits.namespace, open: true }, {});
  await engine.schedules.ofTasks(tasks.map(({ taskUuid }) => taskUuid));
  await probe.query(
    `delete from tasker.task_identity where task_uuid in (select task_uuid from tasker.scheduled_task)`,
  );
  for (let i = 0; i < SCHEDULES; i++) await schedules.delete(nameOf(i));
}
