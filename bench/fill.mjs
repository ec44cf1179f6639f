// Fills a migrated database with finished tasks, for measurements on large tables.

/**
 * Adds finished 4-step tasks with the given number of steps, and their history. Each has an identity, and an operator
 * action with its own transaction number. The numbers are negative, because the server has not yet issued so many.
 */
export async function fillFinished(probe, template, steps) {
  const { rows } = await probe.query(
    `select m.id from tasker.template m where m.name = $1 order by m.registered_at desc limit 1`,
    [template],
  );
  const id = rows[0].id;
  const batch = 25_000;
  for (let done = 0; done < steps / 4; done += batch) {
    await probe.query(
      `with t as (
         insert into tasker.task (task_uuid, template_id, n_open, n_active, context, created_at, done_at)
         select ('01900000-' || lpad(to_hex(g >> 16), 4, '0') || '-7' || lpad(to_hex(g & 4095), 3, '0') || '-8000-' || lpad(to_hex(g), 12, '0'))::uuid,
                $1, 0, 0, '{}', now() - interval '1 day', now() - interval '1 day'
           from generate_series($2::int, $3::int) g returning task_uuid),
       s as (
         insert into tasker.step (task_uuid, idx, state, remaining, attempts, max_attempts, retryable, claim, result, started_at, done_at)
         select task_uuid, i, 'complete', 0, 1, 3, true, 1 << 24, '{"ok": true}', now(), now() from t, generate_series(0, 3) i),
       i as (
         insert into tasker.task_identity (hash, task_uuid) select sha256(task_uuid::text::bytea), task_uuid from t),
       o as (
         insert into tasker.operator_action (task_uuid, idx, action, from_state, to_state, actor, tx)
         select task_uuid, 0, 'reset', 'error', 'enqueued', 'operator', -row_number() over () from t)
       insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, started_at, duration_ms)
       select task_uuid, i, 1, 1, 'completed', 'complete', now(), 1 from t, generate_series(0, 3) i`,
      [id, done, Math.min(done + batch, steps / 4) - 1],
    );
  }
  await countedAlready(probe);
  await probe.query('vacuum analyze');
}

/** Marks all attempts as counted, so that no measurement includes their counting. */
export async function countedAlready(probe) {
  const { rows } = await probe.query(`select to_regclass('tasker.analytics_state') is not null counts`);
  if (rows[0].counts) await probe.query('update tasker.analytics_state set counted = pg_current_snapshot()');
}

/** Adds finished batch workers, ten per batch, each with a checkpoint. No live task refers to these rows. */
export async function fillBatches(probe, workers) {
  const batches = 10_000;
  for (let done = 0; done < workers / 10; done += batches) {
    await probe.query(
      `with t as (
         select ('01900001-0000-7000-8000-' || lpad(to_hex(g), 12, '0'))::uuid task_uuid
           from generate_series($1::int, $2::int) g),
       b as (
         insert into tasker.batch (task_uuid, worker_idx, analyzer_idx, size, parallelism, failure_strategy, no_op, next_idx)
         select task_uuid, 6, 5, 10, 8, 'fail_fast', false, (7 << 17) + 10 from t),
       w as (
         insert into tasker.batch_worker (task_uuid, idx, name, cursor)
         select task_uuid, (7 << 17) + i, 'part_' || i, '{}' from t, generate_series(0, 9) i),
       c as (
         insert into tasker.checkpoint (task_uuid, idx, attempt, data)
         select task_uuid, (7 << 17) + i, 1, '{}' from t, generate_series(0, 9) i)
       insert into tasker.step (task_uuid, idx, state, remaining, attempts, max_attempts, retryable, claim, result, started_at, done_at)
       select task_uuid, (7 << 17) + i, 'complete', 0, 1, 3, true, 1 << 24, '{"ok": true}', now(), now()
         from t, generate_series(0, 9) i`,
      [done, Math.min(done + batches, workers / 10) - 1],
    );
  }
  await probe.query('vacuum analyze');
}
