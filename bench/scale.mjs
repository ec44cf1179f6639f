// Compares the throughput on large and on empty tables, alternating on one server, and measures the cost of creating
// tasks and of an idle worker.
//   node bench/scale.mjs [--rounds 7] [--finished 1000000] [--waiting 200000] [--seconds 2]
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fillFinished } from './fill.mjs';
import { CREATE_AT_ONCE, many, median, probeOf, request, startTasker, withDatabase, withServer } from './harness.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    finished: { type: 'string', default: '1000000' },
    waiting: { type: 'string', default: '200000' },
    seconds: { type: 'string', default: '2' },
    idle: { type: 'string', default: '30' },
  },
});
const [rounds, finished, waiting, idle] = [values.rounds, values.finished, values.waiting, values.idle].map(Number);
const TASKS = Math.round(5_000 * Number(values.seconds));

const rate = async (tasker, count = TASKS) => (count * 4) / (await many(tasker, 'W1', count));
const settings = { names: ['W1'], concurrency: 2000 };
const report = (line) => console.log(JSON.stringify(line));

async function idleCost(url, folder) {
  const tasker = await startTasker(url, folder, settings);
  // Waits, because loading in the first seconds is not part of the cost of an idle worker.
  await sleep(12_000);
  const before = { statements: tasker.statements, cpu: process.cpuUsage() };
  await sleep(idle * 1000);
  const cpu = process.cpuUsage(before.cpu);
  report({
    measure: 'idle',
    seconds: idle,
    statements_per_s: Number(((tasker.statements - before.statements) / idle).toFixed(2)),
    cpu_percent_of_a_core: Number(((cpu.user + cpu.system) / idle / 10_000).toFixed(3)),
  });
  await tasker.stop();
}

async function creation(url, folder) {
  const tasker = await startTasker(url, folder, { names: ['W1'], worker: false });
  const count = 20_000;
  const started = performance.now();
  for (let i = 0; i < count; i += CREATE_AT_ONCE) {
    await tasker.createTasks(Array.from({ length: CREATE_AT_ONCE }, () => request('W1', { n: i })));
  }
  const seconds = (performance.now() - started) / 1000;
  report({ measure: 'creation', tasks: count, steps_each: 4, tasks_per_s: Math.round(count / seconds) });
  await tasker.stop();
}

async function finishedRows(server, folder) {
  await withDatabase(server, (emptyUrl) =>
    withDatabase(server, async (fullUrl) => {
      const [empty, full] = [
        await startTasker(emptyUrl, folder, settings),
        await startTasker(fullUrl, folder, settings),
      ];
      const probe = await probeOf(fullUrl);
      await many(full, 'W1', 100);
      await fillFinished(probe, 'w1', finished);
      await probe.end();
      const rates = { empty: [], full: [] };
      for (const tasker of [empty, full]) await rate(tasker);
      for (let i = 0; i < rounds; i++) {
        rates.empty.push(await rate(empty));
        rates.full.push(await rate(full));
      }
      const ratio = median(rates.full.map((value, i) => value / rates.empty[i]));
      report({
        measure: 'finished rows',
        finished_steps: finished,
        rounds,
        empty: Math.round(median(rates.empty)),
        full: Math.round(median(rates.full)),
        ratio: Number(ratio.toFixed(2)),
      });
      await Promise.all([empty.stop(), full.stop()]);
    }),
  );
}

/** Alternates between a long queue and a short queue on another database. */
async function waitingRows(server, folder) {
  await withDatabase(server, (emptyUrl) =>
    withDatabase(server, async (fullUrl) => {
      const creator = await startTasker(fullUrl, folder, { names: ['W1'], worker: false });
      for (let i = 0; i < waiting; i += 1000) {
        await creator.createTasks(Array.from({ length: 1000 }, () => request('W1')));
      }
      const probe = await probeOf(fullUrl);
      await probe.query('vacuum analyze');
      const empty = await startTasker(emptyUrl, folder, settings);
      await rate(empty);
      const rates = { empty: [], full: [] };
      const left = async () => (await probe.query(`select count(*)::int n from tasker.history`)).rows[0].n;
      for (let i = 0; i < rounds; i++) {
        rates.empty.push(await rate(empty));
        const before = await left();
        const started = performance.now();
        const drainer = await startTasker(fullUrl, folder, { ...settings, drainTimeoutMs: 2000 });
        await sleep(1000 * Number(values.seconds));
        const seconds = (performance.now() - started) / 1000;
        rates.full.push(((await left()) - before) / seconds);
        await drainer.stop({ drainTimeoutMs: 2000 });
      }
      const ratio = median(rates.full.map((value, i) => value / rates.empty[i]));
      report({
        measure: 'waiting tasks',
        waiting,
        rounds,
        empty: Math.round(median(rates.empty)),
        full: Math.round(median(rates.full)),
        ratio: Number(ratio.toFixed(2)),
      });
      await Promise.all([empty.stop(), creator.stop()]);
      await probe.end();
    }),
  );
}

await withServer(async (server, folder) => {
  await withDatabase(server, (url) => creation(url, folder));
  await withDatabase(server, (url) => idleCost(url, folder));
  await finishedRows(server, folder);
  await waitingRows(server, folder);
});
