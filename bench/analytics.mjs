// Measures the cost of statistics: the server's CPU time and WAL for each step, and the time to read the statistics.
//   node bench/analytics.mjs [--rounds 7] [--workloads W1,W4] [--tasks 4000] [--only counting|steps|reading]
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { createTasker, silentLogger } from 'tasker-core';
import { many, median, probeOf, startTasker, withDatabase, withServer } from './harness.mjs';
import { serverCpu } from './server-cpu.mjs';
import { WORKLOADS } from './workloads.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    workloads: { type: 'string', default: 'W1,W4' },
    /** Number of steps in a round. */
    steps: { type: 'string', default: '40000' },
    only: { type: 'string' },
    /** Number of templates whose statistics are read. Each has eight steps. */
    templates: { type: 'string', default: '20' },
  },
});
const workloads = options.workloads.split(',');
const wanted = (what) => options.only === undefined || options.only === what;

/** Measures the server's CPU time and WAL for counting the attempts of a workload, per attempt. */
async function counting(url, folder) {
  const tasker = await startTasker(url, folder, { names: workloads, analyticsEnabled: false, searchEnabled: false });
  const probe = await probeOf(url);
  const cpu = await serverCpu(probe);
  for (const name of workloads) {
    const tasks = Math.ceil(Number(options.steps) / WORKLOADS[name].length);
    const times = [];
    for (let round = 0; round < Number(options.rounds); round++) {
      await tasker.engine.analytics.flush();
      await many(tasker, name, tasks);
      const [before, began] = [await walOf(probe), cpu()];
      let attempts = 0;
      for (;;) {
        const counted = await tasker.engine.analytics.count({ olderMs: 0 });
        attempts += counted.attempts;
        if (counted.complete) break;
      }
      times.push({ us: (cpu() - began) / attempts, wal: ((await walOf(probe)) - before) / attempts, attempts });
    }
    const of = (key) => Number(median(times.map((one) => one[key])).toFixed(2));
    console.log(
      JSON.stringify({
        counting: name,
        attempts: of('attempts'),
        us_per_attempt: of('us'),
        wal_per_attempt: of('wal'),
      }),
    );
  }
  await probe.end();
  await tasker.stop();
}

async function walOf(probe) {
  const { rows } = await probe.query(`select (pg_current_wal_insert_lsn() - '0/0')::float8 lsn`);
  return rows[0].lsn;
}

const WITHOUT = `drop index if exists tasker.history_tx; alter table tasker.history alter tx drop default`;
const WITH = `create index if not exists history_tx on tasker.history using brin (tx); alter table tasker.history alter tx set default txid_current()`;

/** Measures the server's CPU time and WAL per step: without statistics, with their column and index, and counted. */
async function steps(url, folder) {
  const probe = await probeOf(url);
  const cpu = await serverCpu(probe);
  const start = (analyticsEnabled) =>
    startTasker(url, folder, { names: workloads, analyticsEnabled, searchEnabled: false });
  for (const name of workloads) {
    const tasks = Math.ceil(Number(options.steps) / WORKLOADS[name].length);
    const found = { without: [], column: [], counted: [] };
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const kind of Object.keys(found)) {
        const tasker = await start(kind === 'counted');
        await probe.query(kind === 'without' ? WITHOUT : WITH);
        await many(tasker, name, Math.ceil(tasks / 5));
        await probe.query('checkpoint');
        const before = [cpu(), await walOf(probe)];
        await many(tasker, name, tasks);
        if (kind === 'counted') await tasker.engine.analytics.flush();
        const done = tasks * WORKLOADS[name].length;
        found[kind].push({ us: (cpu() - before[0]) / done, wal: ((await walOf(probe)) - before[1]) / done });
        await tasker.stop();
      }
    }
    for (const [kind, rounds] of Object.entries(found)) {
      const of = (key) => Number(median(rounds.map((one) => one[key])).toFixed(2));
      const ratio = Number(median(rounds.map((one, i) => one.us / found.without[i].us)).toFixed(3));
      console.log(
        JSON.stringify({
          steps: name,
          kind,
          server_us: of('us'),
          ratio,
          wal: of('wal'),
          all_us: rounds.map((one) => Number(one.us.toFixed(1))),
        }),
      );
    }
  }
  await probe.query(WITH);
  await probe.end();
}

/** Runs the pass that is due once a minute and sums the next ten days, until nothing is left to sum. */
async function sumTenDays(tasker, probe) {
  for (let before; ; ) {
    await probe.query(`update tasker.analytics_state set pruned_at = now() - interval '2 minutes'`);
    await tasker.engine.analytics.flush();
    const { rows } = await probe.query('select ten_days_until::text until from tasker.analytics_state');
    if (rows[0].until === before) return;
    before = rows[0].until;
  }
}

/** Measures the time to read the statistics of many templates over several windows. */
async function reading(url) {
  const templates = Array.from({ length: Number(options.templates) }, (_, i) => ({
    namespace: 'bench',
    name: `t${i}`,
    version: '1.0.0',
    steps: Array.from({ length: 8 }, (_, s) => ({ name: `s${s}`, handler: 'work' })),
  }));
  const tasker = await createTasker({ databaseUrl: url, templates, worker: false, logger: silentLogger });
  const probe = await probeOf(url);
  await probe.query('truncate tasker.analytics');
  await probe.query('update tasker.analytics_state set ten_days_until = null');
  // Adds a row for every minute, hour and day that is kept, of all templates and steps.
  for (const [minutes, periods] of [
    [1, 2880],
    [60, 2160],
    [1440, 400],
  ]) {
    await probe.query(
      `insert into tasker.analytics
       select $1::int, date_bin($1::int * interval '1 minute', now(), '2000-01-01T00:00Z') - g * $1::int * interval '1 minute', m.id, i,
              100, 2, 0, 0, 0, 0, 1, 1, 102, 1000000, 1000, 90000, h.hist, null, 102, 500000, 10, 80000, h.hist, now()
         from generate_series(0, $2::int - 1) g cross join tasker.template m cross join generate_series(-2, 7) i
        cross join (select array_agg(5 * 512 + b)::bigint[] hist from generate_series(80, 99) b) h
        where m.name like 't%'`,
      [minutes, periods],
    );
  }
  await probe.query(`update tasker.analytics_state set since = now() - interval '400 days'`);
  await sumTenDays(tasker, probe);
  await probe.query('vacuum analyze tasker.analytics');
  const { rows } = await probe.query(
    `select count(*)::int rows, pg_size_pretty(pg_total_relation_size('tasker.analytics')) size from tasker.analytics`,
  );
  console.log(JSON.stringify({ reading: templates.length * 8, ...rows[0] }));
  for (const options of [
    {},
    { since: '24h' },
    { since: '47h' },
    { since: '7d' },
    { since: '89d' },
    { since: '180d' },
    { since: '390d' },
    { since: '389d', until: '31d' },
    { since: '30d', name: 't3' },
    { since: '60d', until: '30d' },
  ]) {
    const times = [];
    for (let i = 0; i < 22; i++) {
      const began = performance.now();
      await tasker.analytics(options);
      if (i > 1) times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    console.log(
      JSON.stringify({ window: options, p50_ms: Number(times[10].toFixed(1)), p95_ms: Number(times[18].toFixed(1)) }),
    );
  }
  await probe.end();
  await tasker.stop();
}

await withServer(async (url, folder) => {
  if (wanted('counting')) await withDatabase(url, (own) => counting(own, folder));
  if (wanted('steps')) await withDatabase(url, (own) => steps(own, folder));
  if (wanted('reading')) await withDatabase(url, (own) => reading(own));
});
