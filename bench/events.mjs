// Measures the cost and the latency of domain events:
//
// - W7 (one durable event per step) against W1, alternating on one server.
// - the latency of a fast event, from the commit to a subscriber in the same process.
// - the latency of a durable event, from the commit to a subscriber in another process, on an idle system.
// - the rate at which one process delivers a backlog to a group.
//
// Exits 1 if a median misses its bound.
//   npm run bench:events [-- --rounds 7 --seconds 2 --latency 200 --backlog 50000]
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { BaseSubscriber, mustParseTemplate } from 'tasker-core';
import { at, many, median, probeOf, request, startTasker, throughput, withDatabase, withServer } from './harness.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '2' },
    latency: { type: 'string', default: '200' },
    backlog: { type: 'string', default: '50000' },
  },
});
const [rounds, seconds, count, backlog] = [values.rounds, values.seconds, values.latency, values.backlog].map(Number);

/** Bounds of the medians. */
const BOUNDS = { throughput_ratio: 0.75, fast_ms: 1, durable_ms: 20 };
/** Number of events that run first, so that the figures do not include loading and compilation. */
const WARM_UP = 30;
const LOST_MS = 30_000;

let missed = 0;
function report(line, holds) {
  if (!holds) missed++;
  console.log(JSON.stringify({ ...line, holds }));
}

/** The time at which the driver read the confirmation of this process's last commit. */
let committedAt = 0n;
const { bind, emit } = pg.Connection.prototype;
pg.Connection.prototype.bind = function (config, ...more) {
  if (config.statement?.startsWith('record_steps')) this.records = true;
  return bind.call(this, config, ...more);
};
pg.Connection.prototype.emit = function (event, message, ...more) {
  if (this.records && event === 'commandComplete' && message.text === 'COMMIT') {
    committedAt = process.hrtime.bigint();
    this.records = false;
  }
  return emit.call(this, event, message, ...more);
};

async function cost(url, folder) {
  const tasker = await startTasker(url, folder, { names: ['W1', 'W7'], concurrency: 2000 });
  const [without, withEvents] = [await throughput(tasker, 'W1', seconds), await throughput(tasker, 'W7', seconds)];
  const rate = async (load) => (load.count * load.steps) / (await load.run());
  const rates = { W1: [], W7: [] };
  for (let i = 0; i < rounds; i++) {
    rates.W1.push(await rate(without));
    rates.W7.push(await rate(withEvents));
  }
  await tasker.stop();
  const ratios = rates.W7.map((value, i) => value / rates.W1[i]);
  const ratio = Number(median(ratios).toFixed(2));
  const line = { measure: 'one durable event a step', rounds, W1: Math.round(median(rates.W1)) };
  const [lowest, highest] = [Math.min(...ratios), Math.max(...ratios)].map((value) => Number(value.toFixed(2)));
  report(
    { ...line, W7: Math.round(median(rates.W7)), ratio, lowest, highest, bound: BOUNDS.throughput_ratio },
    ratio >= BOUNDS.throughput_ratio,
  );
}

/** Returns a template with a step that publishes one event in the given mode. */
const single = (mode) =>
  mustParseTemplate(
    JSON.stringify({
      name: mode,
      namespace: 'bench',
      version: '1.0.0',
      identity_strategy: 'always_unique',
      steps: [
        {
          name: 'work',
          handler: { callable: 'work' },
          publishes_events: [{ name: `bench.${mode}`, description: 'Done', schema: {}, delivery_mode: mode }],
        },
      ],
    }),
  );

/**
 * Returns the milliseconds from commit to handling, one task after another. `handled` returns the time of a task's
 * event.
 */
async function latencies(tasker, mode, handled) {
  const times = [];
  for (let i = 0; i < WARM_UP + count; i++) {
    const { taskUuid } = await tasker.createTask(request(mode));
    await tasker.waitForTask(taskUuid);
    const handledAt = await handled(taskUuid);
    if (i >= WARM_UP) times.push(Number(handledAt - committedAt) / 1e6);
    // Waits until the work for the last task has ended. The wait varies, so that it does not coincide with an interval.
    await sleep(20 + Math.random() * 20);
  }
  return times.sort((a, b) => a - b);
}

/** Returns the handling times by task, with `of` to wait for the time of a task. */
function handledTimes() {
  const [times, waiting] = [new Map(), new Map()];
  return {
    add(task, time) {
      times.set(task, time);
      waiting.get(task)?.(time);
    },
    async of(task) {
      if (times.has(task)) return times.get(task);
      const handled = new Promise((resolve) => waiting.set(task, resolve));
      const lost = sleep(LOST_MS, undefined, { ref: false }).then(() => {
        throw new Error(`the event of task ${task} did not arrive within ${LOST_MS} ms`);
      });
      return Promise.race([handled, lost]);
    },
  };
}

function reportLatency(measure, times, bound) {
  const p50 = at(times, 0.5);
  report({ measure, events: times.length, p50_ms: p50, p95_ms: at(times, 0.95), bound_ms: bound }, p50 <= bound);
}

async function fast(url, folder) {
  const handled = handledTimes();
  class Listening extends BaseSubscriber {
    static subscriberName = 'in this process';
    static delivery = { mode: 'in_process' };
    handle({ metadata }) {
      handled.add(metadata.taskUuid, process.hrtime.bigint());
    }
  }
  const tasker = await startTasker(url, folder, { templates: [single('fast')], subscribers: [Listening] });
  reportLatency('fast, in the same process', await latencies(tasker, 'fast', handled.of), BOUNDS.fast_ms);
  await tasker.stop();
}

async function durable(url, folder) {
  const tasker = await startTasker(url, folder, { templates: [single('durable')] });
  await many(tasker, 'durable', 1);
  const listener = spawn(process.execPath, [fileURLToPath(new URL('event-listener.mjs', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, DATABASE_URL: url },
  });
  const handled = handledTimes();
  const ready = new Promise((resolve, reject) => {
    listener.once('exit', (code) => reject(new Error(`the listener exited with ${code}`)));
    createInterface({ input: listener.stdout }).on('line', (line) => {
      const [task, time] = line.split(' ');
      if (task === 'ready') resolve();
      else handled.add(task, BigInt(time));
    });
  });
  await ready;
  reportLatency('durable, to another process', await latencies(tasker, 'durable', handled.of), BOUNDS.durable_ms);
  const ended = new Promise((resolve) => listener.once('close', resolve));
  listener.stdin.end();
  await ended;
  await tasker.stop();
}

/** Measures the delivery of a backlog of events, each of a different task, to one group in one process. */
async function delivery(url, folder) {
  let [handled, atEnd] = [0, () => {}];
  class Counting extends BaseSubscriber {
    static subscriberName = 'counting';
    handle() {
      if (++handled === backlog) atEnd();
    }
  }
  const tasker = await startTasker(url, folder, { templates: [single('durable')], subscribers: [Counting] });
  await tasker.stop();
  const probe = await probeOf(url);
  await probe.query(
    `insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, publisher, payload, execution)
     select gen_random_uuid(), 'bench.durable', gen_random_uuid(), 0, 1, 'default', '{"ok": true}', '{"execution_time_ms": 1}'
       from generate_series(1, $1::int)`,
    [backlog],
  );
  await probe.query('analyze');
  await probe.end();
  const [started, before] = [performance.now(), process.cpuUsage()];
  const all = new Promise((resolve) => (atEnd = resolve));
  const listening = await startTasker(url, folder, { templates: [single('durable')], subscribers: [Counting] });
  await all;
  const { user, system } = process.cpuUsage(before);
  const perSecond = Math.round(backlog / ((performance.now() - started) / 1_000));
  const cpuUs = Number(((user + system) / backlog).toFixed(1));
  report(
    { measure: 'a backlog, to one group', events: backlog, events_per_s: perSecond, cpu_us_per_event: cpuUs },
    true,
  );
  await listening.stop();
}

await withServer(async (server, folder) => {
  for (const measure of [fast, durable, delivery, cost]) await withDatabase(server, (url) => measure(url, folder));
});
if (missed > 0) console.error(`${missed} medians missed their bounds`);
process.exitCode = missed === 0 ? 0 : 1;
