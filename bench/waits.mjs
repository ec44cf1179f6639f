// Measures waits: the cost of many waiting steps and schedules while nothing is due, the lateness of timers in an idle
// process, and the throughput of timers that are due at the same time, alone and concurrently with other work.
//   node bench/waits.mjs [--waiting 200000] [--schedules 10000] [--idle 60] [--late 200] [--due 100000]
//     [--only idle,late,drain]
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createTasker, defineHandler, mustParseTemplate, silentLogger } from 'tasker-core';
import { at, many, median, probeOf, startTasker, withDatabase, withServer } from './harness.mjs';
import { serverCpu } from './server-cpu.mjs';

const { values } = parseArgs({
  options: {
    waiting: { type: 'string', default: '200000' },
    schedules: { type: 'string', default: '10000' },
    idle: { type: 'string', default: '60' },
    late: { type: 'string', default: '200' },
    due: { type: 'string', default: '100000' },
    only: { type: 'string', default: 'idle,late,drain' },
  },
});
const [waiting, schedules, idle, due] = [values.waiting, values.schedules, values.idle, values.due].map(Number);
const late = Number(values.late);
const only = new Set(values.only.split(','));
const report = (line) => console.log(JSON.stringify(line));
const rounded = (value, digits = 2) => Number(value.toFixed(digits));

const LATER = { namespace: 'bench', name: 'later', version: '1.0.0' };
/** Like LATER, without a step after the timer. */
const ONLY = { ...LATER, name: 'only' };
const PAUSE = { name: 'pause', type: 'timer', timer: { for: '365d' } };
const AFTER = { name: 'after', handler: 'work', depends_on: ['pause'] };
/** Like LATER, with a time from the context. */
const TIMED = { ...LATER, name: 'timed' };
const TEMPLATES = [
  { ...LATER, steps: [PAUSE, AFTER] },
  { ...ONLY, steps: [PAUSE] },
  { ...TIMED, steps: [{ ...PAUSE, timer: { until: { context: 'at' } } }, AFTER] },
].map((template) => mustParseTemplate(JSON.stringify({ ...template, identity_strategy: 'always_unique' })));

async function starting(url, folder, options = {}) {
  const tasker = await startTasker(url, folder, { names: ['W1'], concurrency: 2_000, ...options });
  await tasker.registerTemplates(TEMPLATES);
  return tasker;
}

/** Creates tasks whose first step waits, and returns when all of these steps are waiting. */
async function createWaiting(url, probe, count, request = LATER) {
  const handlers = [defineHandler('work', {}, async () => ({ ok: true }))];
  const options = { databaseUrl: url, templates: TEMPLATES, handlers, concurrency: 2_000, logger: silentLogger };
  const tasker = await createTasker(options);
  for (let left = count; left > 0; left -= 1_000) {
    await tasker.createTasks(Array.from({ length: Math.min(1_000, left) }, () => request));
  }
  const open = async () => (await probe.query(`select count(*)::int n from tasker.wait where ended_at is null`)).rows;
  while ((await open())[0].n < count) await sleep(500);
  await tasker.stop();
}

async function createSchedules(url, count) {
  const tasker = await createTasker({ databaseUrl: url, templates: TEMPLATES, worker: false, logger: silentLogger });
  const create = async (i) => {
    await tasker.schedules.create({ name: `s${i}`, template: 'bench/later@1.0.0', cron: `${i % 60} 0 1 1 *` });
  };
  for (let i = 0; i < count; i += 50) await Promise.all(Array.from({ length: 50 }, (_, n) => create(i + n)));
  await tasker.stop();
}

/**
 * Returns when the search tables have been compared with all tasks that existed at the call, and processes that ended
 * before, which is noticed after 45 s, need no further comparison.
 */
async function compared(probe) {
  const { rows } = await probe.query('select now()::text now');
  const over = `select compared_at > $1::timestamptz and not exists (
                         select 1 from tasker.search_writer where seen_at < now() - interval '20 s') is_over
                  from tasker.search_state`;
  const isOver = async () => (await probe.query(over, [rows[0].now])).rows[0].is_over;
  while (!(await isOver())) await sleep(1_000);
}

/**
 * Measures the statements and the CPU time of an idle process and its server, and those of a comparison of the search
 * tables, which runs once a minute, or after a pause of 200 times its duration.
 */
async function idleCost(measure, url, folder, probe) {
  await probe.query('vacuum analyze');
  await probe.query('checkpoint');
  const tasker = await starting(url, folder);
  // Waits, because loading and comparing the new tasks are not part of the cost of an idle process.
  await Promise.all([compared(probe), sleep(20_000)]);
  const cpu = await serverCpu(probe);
  const before = { statements: tasker.statements, cpu: process.cpuUsage(), server: cpu() };
  await sleep(idle * 1_000);
  const own = process.cpuUsage(before.cpu);
  report({
    measure,
    seconds: idle,
    statements_per_s: rounded((tasker.statements - before.statements) / idle),
    cpu_percent_of_a_core: rounded((own.user + own.system) / idle / 10_000, 3),
    server_cpu_percent_of_a_core: rounded((cpu() - before.server) / idle / 10_000, 3),
  });
  await probe.query(
    `insert into tasker.search_writer (id, seen_at) values (gen_random_uuid(), now() - interval '1 minute')`,
  );
  const comparing = { statements: tasker.statements, server: cpu(), at: performance.now() };
  await tasker.engine.search.keeper.look();
  report({
    measure: `${measure}: a comparison of the search tables`,
    seconds: rounded((performance.now() - comparing.at) / 1_000),
    statements: tasker.statements - comparing.statements,
    server_cpu_ms: Math.round((cpu() - comparing.server) / 1_000),
  });
  await tasker.stop();
}

async function idling(server, folder) {
  await withDatabase(server, async (url) => {
    const probe = await probeOf(url);
    const first = await starting(url, folder);
    await first.stop();
    await idleCost('idle, empty', url, folder, probe);
    await createWaiting(url, probe, waiting);
    await createSchedules(url, schedules);
    await idleCost(`idle, ${waiting} waiting steps and ${schedules} schedules`, url, folder, probe);
    await probe.end();
  });
}

/**
 * Measures the lateness of timers in an otherwise idle process, one about every 100 ms, and the lateness of the steps
 * that follow them.
 */
async function lateness(server, folder) {
  await withDatabase(server, async (url) => {
    const probe = await probeOf(url);
    const tasker = await starting(url, folder);
    await many(tasker, 'W1', 2_000);
    await sleep(5_000);
    const began = Date.now() + 2_000;
    const times = Array.from({ length: late }, (_, i) => new Date(began + i * 100 + Math.random() * 50).toISOString());
    const tasks = await tasker.createTasks(times.map((time) => ({ ...TIMED, context: { at: time } })));
    await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid)));
    const { rows } = await probe.query(
      `select extract(epoch from (p.result ->> 'fired_at')::timestamptz - (p.result ->> 'due_at')::timestamptz)::float8 * 1000 fired,
              extract(epoch from a.started_at - (p.result ->> 'due_at')::timestamptz)::float8 * 1000 after
         from tasker.step p join tasker.step a on a.task_uuid = p.task_uuid and a.idx <> p.idx
        where p.result ? 'fired_at'`,
    );
    for (const what of ['fired', 'after']) {
      const ms = rows.map((row) => row[what]).sort((a, b) => a - b);
      report({
        measure:
          what === 'fired'
            ? 'ms from the due time until a timer fires'
            : 'ms from the due time until the next step starts',
        timers: ms.length,
        p50: at(ms, 0.5),
        p95: at(ms, 0.95),
        max: at(ms, 1),
      });
    }
    await tasker.stop();
    await probe.end();
  });
}

/** Makes all timers due in the given number of seconds. */
async function makeDue(probe, inSeconds) {
  await probe.query(
    `update tasker.wait set until = x.at, due_at = x.at from (select now() + $1 * interval '1 s' as at) x
      where ended_at is null`,
    [inSeconds],
  );
}

/** Measures the cost of ending due timers without running the steps after them. */
async function endsAlone(server, folder) {
  await withDatabase(server, async (url) => {
    const probe = await probeOf(url);
    await createWaiting(url, probe, due);
    await makeDue(probe, 0);
    await probe.query('vacuum analyze');
    const tasker = await starting(url, folder, { worker: false });
    const cpu = await serverCpu(probe);
    const before = { at: performance.now(), statements: tasker.statements, cpu: process.cpuUsage(), server: cpu() };
    const ended = await tasker.engine.endDueWaits();
    const seconds = (performance.now() - before.at) / 1_000;
    const own = process.cpuUsage(before.cpu);
    report({
      measure: 'due timers, without the steps after them',
      timers: ended,
      timers_per_s: Math.round(ended / seconds),
      statements_per_timer: rounded((tasker.statements - before.statements) / ended, 4),
      server_cpu_us_per_timer: rounded((cpu() - before.server) / ended, 1),
      cpu_us_per_timer: rounded((own.user + own.system) / ended, 1),
    });
    await tasker.stop();
    await probe.end();
  });
}

/**
 * Makes timers due while other tasks run continuously, and compares the rate of the other tasks before the timers are
 * due and while they end. If a step follows each timer, `all_steps_share` includes these steps.
 */
async function besideOthers(server, folder, request) {
  await withDatabase(server, async (url) => {
    const probe = await probeOf(url);
    await createWaiting(url, probe, due, request);
    await probe.query('vacuum analyze');
    const tasker = await starting(url, folder);
    await many(tasker, 'W1', 2_000);
    const rates = { before: [], during: [] };
    const run = async (into) => into.push((2_000 * 4) / (await many(tasker, 'W1', 2_000)));
    for (let i = 0; i < 5; i++) await run(rates.before);
    const left = async () => {
      const { rows } = await probe.query(
        `select count(*)::int n from (select 1 from tasker.wait where ended_at is null and kind = 'timer' limit 1) x`,
      );
      return rows[0].n;
    };
    // The timers are due in five seconds, so that the worker knows the time in advance.
    const began = performance.now() + 5_000;
    await makeDue(probe, 5);
    while (performance.now() < began) await run([]);
    let ended;
    let followed;
    const watched = (async () => {
      while ((await left()) > 0) await sleep(250);
      ended = performance.now();
      const { rows } = await probe.query(
        `select count(*)::int n from tasker.step s join tasker.template_step m on m.idx = s.idx and m.name = 'after'
           join tasker.task t on t.task_uuid = s.task_uuid and t.template_id = m.template_id where s.state = 'complete'`,
      );
      followed = rows[0].n;
    })();
    while (ended === undefined) await run(rates.during);
    await watched;
    const seconds = (ended - began) / 1_000;
    const [before, during] = [median(rates.before), median(rates.during)];
    report({
      measure: `due timers ${request === LATER ? 'with a step after each' : 'alone'}, concurrently with other work`,
      timers: due,
      timers_per_s: Math.round(due / seconds),
      other_steps_per_s_before: Math.round(before),
      other_steps_per_s_during: Math.round(during),
      share: rounded(during / before),
      steps_after_timers_per_s: Math.round(followed / seconds),
      all_steps_share: rounded((during + followed / seconds) / before),
    });
    await tasker.stop();
    await probe.end();
  });
}

await withServer(async (server, folder) => {
  if (only.has('idle')) await idling(server, folder);
  if (only.has('late')) await lateness(server, folder);
  if (only.has('drain')) {
    await endsAlone(server, folder);
    for (const request of [ONLY, LATER]) await besideOthers(server, folder, request);
  }
});
