// Runs every statement of waits, signals, approvals and schedules, for explain.mjs.
import { setTimeout as sleep } from 'node:timers/promises';
import { completeLater, createTasker, defineHandler, mustParseTemplate, notYet, silentLogger } from 'tasker-core';
import { KIND } from '../dist/engine/engine.js';
import { everySchedule } from './explain-schedules.mjs';
import { everyApproval, everySignal } from './explain-signals.mjs';

/** Tables that grow with the waits of tasks. */
const TABLES = [
  'wait',
  'completion_token',
  'signal',
  'signal_inbox',
  'vote',
  'schedule',
  'schedule_firing',
  'scheduled_task',
];
const STEPS = 400;
const TASKS = 200;
const WAITS = { namespace: 'waits', name: 'waits', version: '1.0.0' };
const STEPS_OF_TASK = [
  { name: 'first', handler: 'first' },
  { name: 'pause', type: 'timer', timer: { for: '1h' }, depends_on: ['first'] },
  { name: 'ship', type: 'timer', timer: { until: { context: 'ship_at' } } },
  { name: 'paid', type: 'signal', signal: { name: 'paid', timeout: '1h' } },
  { name: 'pair', type: 'signal', signal: { name: 'pair', count: 2, timeout: '1h' } },
  { name: 'later', type: 'signal', signal: { name: 'later' }, depends_on: ['paid'] },
  {
    name: 'ask',
    type: 'approval',
    approval: { title: 'Ship?', assignees: ['ann', 'bob'], quorum: 2, remind_after: '10m', timeout: '1h' },
  },
  { name: 'call', handler: 'call' },
  { name: 'poll', handler: 'poll' },
  { name: 'call_early', handler: 'call_early' },
];

const templateOf = (name, steps) =>
  mustParseTemplate(JSON.stringify({ ...WAITS, name, identity_strategy: 'always_unique', steps }));

/**
 * Adds rows of finished tasks to the tables of waits, and tasks that start in a year. The tables keep the statistics of
 * empty tables, as in the first minutes of a new system.
 */
export async function fillWaits(url, probe, rows) {
  for (const table of TABLES) {
    await probe.query(`alter table tasker.${table} set (autovacuum_enabled = off)`);
    await probe.query(`analyze tasker.${table}`);
  }
  const templates = templateOf('waits', STEPS_OF_TASK);
  const tasker = await createTasker({ databaseUrl: url, templates, worker: false, logger: silentLogger });
  await fill(probe, tasker, rows);
  await tasker.stop();
}

async function fill(probe, tasker, rows) {
  const { rows: templates } = await probe.query(`select id from tasker.template where name = 'waits'`);
  const ended = `select task_uuid, idx from tasker.step where state = 'complete' and idx between 0 and 3 limit ${rows}`;
  await probe.query(
    `insert into tasker.wait (task_uuid, idx, kind, attempt, template_id, rank, since, until, settings, ended_at, ended_by)
     select task_uuid, idx, case idx when 0 then 'signal' when 1 then 'approval' else 'timer' end, 1, $1, 0,
            now() - interval '2 days', now() - interval '1 day', '{"name": "paid"}', now() - interval '1 day', 'elapsed'
       from (${ended}) s on conflict do nothing`,
    [templates[0].id],
  );
  await probe.query(
    `insert into tasker.completion_token (task_uuid, idx, attempt, hash)
     select task_uuid, idx, 1, sha256(task_uuid::text::bytea) from (${ended}) s where idx = 3 on conflict do nothing`,
  );
  await probe.query(
    `insert into tasker.signal (task_uuid, signal_id, name, key, payload, size, used_by, used_attempt, used_at)
     select task_uuid, gen_random_uuid(), 'paid', 'k', '1', 1, 0, 1, now() from (${ended}) s where idx = 0 on conflict do nothing`,
  );
  await probe.query(
    `insert into tasker.vote (task_uuid, idx, attempt, voter, decision)
     select task_uuid, 1, 1, 'ann', 'approve' from (${ended}) s where idx = 1 on conflict do nothing`,
  );
  await probe.query(
    `insert into tasker.signal_inbox (id, target, name, payload, done_at, outcome)
     select gen_random_uuid(), to_jsonb(task_uuid), 'paid', 'null', now() - interval '1 day', '{}'
       from (${ended}) s where idx = 2`,
  );
  await probe.query(
    `insert into tasker.scheduled_task (task_uuid, schedule_id, name, due_at, cause, open)
     select task_uuid, gen_random_uuid(), 'gone', now(), 'due', false from (${ended}) s where idx = 0 on conflict do nothing`,
  );
  await probe.query(
    `insert into tasker.schedule_firing (schedule_id, due_at, cause, outcome, reason)
     select x.id, now() - n * interval '1 hour', 'due', 'missed', 'old'
       from (select gen_random_uuid() id from generate_series(1, $1::int / 1000)) x cross join generate_series(1, 1000) n`,
    [rows],
  );
  for (let left = rows / 50; left > 0; left -= 500) {
    await tasker.createTasks(Array.from({ length: 500 }, () => ({ ...WAITS, delayMs: 365 * 86_400_000 })));
  }
}

/**
 * Creates many waits of every kind, ends them in every way, and runs schedules: with the statistics of empty tables,
 * and with correct statistics.
 */
export async function everyWait(url, probe) {
  const tokens = new Map();
  const tasker = await createTasker({
    databaseUrl: url,
    templates: templateOf('waits', STEPS_OF_TASK),
    handlers: [
      defineHandler('first', {}, () => ({ ok: true })),
      defineHandler('poll', {}, ({ context }) =>
        context.checkpointCursor === null ? notYet({ retryInMs: 600_000, checkpoint: 1 }) : { ok: true },
      ),
      defineHandler('call', {}, async ({ context }) => {
        tokens.set(context.taskUuid, await context.completionToken());
        return completeLater({ timeoutMs: 600_000 });
      }),
      defineHandler('call_early', {}, async ({ context }) => {
        await tasker.completeByToken(await context.completionToken(), { ok: true });
        return completeLater({ timeoutMs: 600_000 });
      }),
    ],
    concurrency: 2_000,
    logger: silentLogger,
  });
  for (const turn of ['with the statistics of empty tables', 'with correct statistics']) {
    if (turn === 'with correct statistics') for (const table of TABLES) await probe.query(`analyze tasker.${table}`);
    const tasks = await createWaiting(tasker, probe);
    await everySignal({ tasker, probe, url, tasks });
    await everyApproval({ tasker, probe, tasks });
    await everyAct({ tasker, probe, tasks, tokens });
    await everySchedule({ tasker, probe, waits: WAITS });
    await tasker.status();
    for (const task of tasks) await tasker.cancelTask(task);
  }
  await tasker.stop();
  await waitsByHand(url, probe);
}

/** Creates tasks, and returns once every step that can wait is waiting. */
async function createWaiting(tasker, probe) {
  const requests = Array.from({ length: TASKS }, (_, i) => ({
    ...WAITS,
    context: { ship_at: '2099-01-01T00:00:00Z' },
    correlationId: `00000000-0000-4000-8000-${String(i % 50).padStart(12, '0')}`,
  }));
  const tasks = (await tasker.createTasks(requests)).map(({ taskUuid }) => taskUuid);
  const waiting = `select kind, count(*)::int n from tasker.wait where task_uuid = any ($1) and ended_at is null group by 1`;
  for (const until = Date.now() + 120_000; ; await sleep(50)) {
    const { rows } = await probe.query(waiting, [tasks]);
    if (rows.reduce((sum, { n }) => sum + n, 0) >= 7 * TASKS) break;
    if (Date.now() > until) throw new Error(`some steps do not wait: ${JSON.stringify(rows)}`);
  }
  return tasks;
}

/** Makes the waits of these tasks due. */
const makeDue = (probe, tasks, condition) =>
  probe.query(
    `update tasker.wait w set due_at = now(), until = case when kind = 'approval' then until else now() end
      where task_uuid = any ($1) and ended_at is null and ${condition}`,
    [tasks],
  );

/** Ends waits with tokens, by an operator and at their times. Ending one of them fails at first. */
async function everyAct({ tasker, probe, tasks, tokens }) {
  const [first, second, third, fourth] = tasks;
  await tasker.getWaits(first);
  await tasker.getSteps(first);
  await tasker.moveTimer(first, 'pause', { delayMs: 7_200_000 });
  await tasker.moveTimer(first, 'ship', '2098-01-01T00:00:00Z');
  await tasker.fireTimer(second, 'pause');
  await tasker.extendByToken(tokens.get(first), { timeoutMs: 700_000 });
  await tasker.completeByToken(tokens.get(first), { ok: true });
  await tasker.completeByToken(tokens.get(first), { ok: true });
  await tasker.failByToken(tokens.get(second), 'no');
  await tasker.completeStep(third, 'paid', { result: {} });
  const [later, soon] = await tasker.createTasks([1, 2].map(() => ({ ...WAITS, delayMs: 86_400_000 })));
  await tasker.rescheduleTask(later.taskUuid, { delayMs: 3_600_000 });
  await tasker.startTaskNow(soon.taskUuid);
  await makeDue(probe, [later.taskUuid], 'true');
  await probe.query(`create or replace function no() returns trigger language plpgsql as $$ begin
    if new.task_uuid = '${fourth}' then raise 'no'; end if; return new; end $$`);
  await probe.query('create trigger no before insert on tasker.history for each row execute function no()');
  await makeDue(probe, [fourth], `kind = 'timer'`);
  await tasker.engine.promoteDue();
  await probe.query('drop trigger no on tasker.history');
  await makeDue(probe, tasks, `kind in ('timer', 'call', 'approval', 'completion')`);
  await tasker.engine.promoteDue();
  for (const taskUuid of [later, soon].map((task) => task.taskUuid)) await tasker.cancelTask(taskUuid);
}

/** Makes many steps wait for a timer, a completion and a call without a worker, and ends these waits. */
async function waitsByHand(url, probe) {
  const steps = ['a', 'b'].map((name, i) => ({ name, handler: 'none', dependencies: i === 0 ? [] : ['a'] }));
  const byHand = { ...WAITS, name: 'by_hand' };
  const templates = templateOf('by_hand', steps);
  const tasker = await createTasker({ databaseUrl: url, templates, worker: false, logger: silentLogger });
  const { engine } = tasker;
  await tasker.createTasks(Array.from({ length: STEPS }, () => byHand));
  const identity = { name: 'by_hand', host: 'h', pid: 1, namespaces: ['waits'], callables: [], concurrency: 1 };
  const workerId = await engine.registerWorker({ ...identity, leaseMs: 600_000 });
  const namespaceIds = await engine.namespaceIds(['waits']);
  let claims = 0;
  for (const kind of ['call', 'completion', 'timer']) {
    const token = workerId * 2 ** 24 + ++claims;
    const { steps: claimed } = await engine.claim({ limit: STEPS, token, workerId, namespaceIds, excluded: [] });
    const batch = claimed.map(({ taskUuid, idx, templateId, rank }) => {
      const key = { taskUuid, idx, claim: token, templateId, rank, durationMs: 1, delayMs: 0 };
      return { ...key, kind: KIND.waits, result: 'null', detail: 'null', wait: { kind, forMs: 60_000, settings: {} } };
    });
    await engine.record(batch, { freeSlots: 0, token: 0, lastRank: -101 });
    await engine.findRecorded(batch.map((step) => ({ ...step, attempt: 1 })));
    await probe.query(
      `update tasker.wait set until = now(), due_at = now() where ended_at is null and kind <> 'start'`,
    );
    await engine.promoteDue();
    // The waits for a completion ended as failures, and their steps wait for a retry.
    await probe.query(`update tasker.step set next_at = now() where state = 'waiting_for_retry'`);
    await probe.query('update tasker.timer set due_at = now()');
    await engine.promoteDue();
  }
  await tasker.stop();
}
