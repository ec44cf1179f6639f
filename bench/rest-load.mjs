// Loads the HTTP API of a server, whose worker runs in another process, while streams are open. Tasks are created at
// the maximum rate, at half and at four times that rate, and at a quarter of it while the server is killed and
// restarted. Then every acknowledged task must exist and be complete, and every stream must have received its end.
// Exits with 1 if a limit is missed.
//   node bench/rest-load.mjs [--seconds 20] [--creators 200] [--streams 2000] [--all 20] [--json]
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { at, probeOf, withDatabase, withServer } from './harness.mjs';
import { Connections, closedLoop, openLoop, requestBytes } from './rest-http.mjs';
import { projectIn, taskOf } from './rest-processes.mjs';
import { processCpu, serverCpu } from './server-cpu.mjs';

const LIMITS = { p99MsAtHalf: 50, p99MsAtSaturation: 2_000 };
/** Maximum number of requests at the same time. Requests beyond it are counted as `not sent`. */
const MOST_OPEN = 3_000;
/** After this time, a task that is not complete or an end that a stream has not received is considered lost. */
const SETTLED_MS = 180_000;
const OVERLOAD = 4;
/** Number of tasks with their own stream that are cancelled per second while the response times are measured. */
const CANCELS_PER_S = 20;
/** Number of callers that send the other requests. */
const LANES = 20;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    creators: { type: 'string', default: '200' },
    streams: { type: 'string', default: '2000' },
    all: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
});
const [seconds, creators, streams, everything] = [values.seconds, values.creators, values.streams, values.all].map(
  Number,
);
const CREATE = requestBytes('POST', '/v1/tasks', taskOf());
const HOLD = requestBytes('POST', '/v1/tasks', taskOf('held'));
const misses = [];

function report(line, ...missed) {
  const missing = missed.filter((what) => what !== undefined);
  misses.push(...missing);
  if (values.json) console.log(JSON.stringify({ ...line, missed: missing }));
  else
    console.log(
      `${Object.entries(line)
        .map(([key, value]) => `${key} ${value}`)
        .join('  ')}${missing.map((what) => `\n  MISSED: ${what}`).join('')}`,
    );
}

const unless = (ok, what) => (ok ? undefined : what);
const round = (value) => Number(value.toFixed(2));

/** A load on the server, with the acknowledged tasks and the number of responses by status. */
class Creation {
  acknowledged = [];
  times = [];
  answers = {};
  /** Number of requests, including requests that were not sent. */
  begun = 0;
  #connections;

  constructor(url, most) {
    this.#connections = new Connections(url, most);
  }

  async create(from = performance.now(), bytes = CREATE) {
    this.begun++;
    if (!this.#connections.hasFree) return this.#count('not sent');
    let answer;
    try {
      answer = await this.#connections.ask(bytes);
    } catch {
      return this.#count('connection lost');
    }
    if (answer.status === 201) {
      this.times.push(performance.now() - from);
      this.acknowledged.push(JSON.parse(answer.body).task_uuid);
    }
    this.#count(`${answer.status}${answer.retryAfter === undefined ? '' : ' with Retry-After'}`);
  }

  async cancel(task) {
    const { status, retryAfter } = await this.#connections.ask(requestBytes('DELETE', `/v1/tasks/${task}`));
    if (retryAfter !== undefined) {
      await sleep(Number(retryAfter) * 1_000);
      return this.cancel(task);
    }
    if (status !== 200) throw new Error(`DELETE /v1/tasks/${task} returned ${status}`);
  }

  percentile(q) {
    return at(
      this.times.sort((a, b) => a - b),
      q,
    );
  }

  #count(what) {
    this.answers[what] = (this.answers[what] ?? 0) + 1;
  }

  /** Closes the connections, and adds the acknowledged tasks to a list. */
  end(served = []) {
    for (const task of this.acknowledged) served.push(task);
    this.#connections.close();
  }
}

/** Starts the readers in a thread. `ask` sends them a command. */
function readersOf(url) {
  const thread = new Worker(new URL('rest-streams.mjs', import.meta.url), { workerData: { url } });
  const waiting = new Map();
  thread.on('message', ({ id, answer }) => waiting.get(id)(answer));
  thread.on('error', (error) => {
    throw error;
  });
  let last = 0;
  const ask = (act, given = {}) =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      thread.postMessage({ id: last, act, ...given });
    });
  return { ask, close: () => thread.terminate() };
}

/** Waits until the worker has completed all tasks except the held tasks. */
async function idle(probe) {
  const open = () => probe.query('select count(*)::int n from tasker.task where done_at is null');
  while ((await open()).rows[0].n > streams) await sleep(200);
}

async function maximum({ url, served }) {
  const creation = new Creation(url, creators);
  await closedLoop({ lanes: creators, seconds: 2 }, () => creation.create());
  creation.times = [];
  const before = creation.acknowledged.length;
  const loop = await closedLoop({ lanes: creators, seconds }, () => creation.create());
  const rate = (creation.acknowledged.length - before) / loop.seconds;
  report(
    {
      phase: 'maximum',
      creators,
      created_per_s: Math.round(rate),
      p50_ms: creation.percentile(0.5),
      p99_ms: creation.percentile(0.99),
      answers: JSON.stringify(creation.answers),
    },
    unless(Object.keys(creation.answers).join() === '201', 'some creations were rejected'),
  );
  creation.end(served);
  return rate;
}

/** Creates tasks at half the maximum rate, and meanwhile cancels tasks with their own stream. */
async function half({ url, rate, served, held, cpuOf }) {
  const creation = new Creation(url, MOST_OPEN);
  const others = new Creation(url, LANES);
  // Opens the connections.
  await openLoop({ perSecond: rate / 2, seconds: 2 }, () => creation.create());
  creation.times = [];
  const warm = creation.acknowledged.length;
  const before = cpuOf();
  let next = 0;
  await Promise.all([
    openLoop({ perSecond: rate / 2, seconds }, (due) => creation.create(due)),
    openLoop({ perSecond: CANCELS_PER_S, seconds }, () => others.cancel(held[next++])),
  ]);
  const created = creation.acknowledged.length - warm;
  const used = cpuOf();
  const p99 = creation.percentile(0.99);
  report(
    {
      phase: 'half',
      offered_per_s: Math.round(rate / 2),
      created,
      cancelled: next,
      p50_ms: creation.percentile(0.5),
      p99_ms: p99,
      server_cpu_us_per_request: round((used.server - before.server) / (created + next)),
      database_cpu_us_per_request: round((used.database - before.database) / (created + next)),
      answers: JSON.stringify(creation.answers),
    },
    unless(p99 < LIMITS.p99MsAtHalf, `p99 of ${p99} ms, not below ${LIMITS.p99MsAtHalf}`),
    unless(Object.keys(creation.answers).join() === '201', 'some creations were rejected'),
  );
  creation.end(served);
  while (next < held.length) await others.cancel(held[next++]);
  others.end();
}

async function saturation({ url, rate, served }) {
  const creation = new Creation(url, MOST_OPEN);
  await openLoop({ perSecond: rate * OVERLOAD, seconds }, () => creation.create());
  const { answers } = creation;
  const p99 = creation.percentile(0.99);
  const refused = (answers['503 with Retry-After'] ?? 0) + (answers['429 with Retry-After'] ?? 0);
  const sent = Object.entries(answers).reduce((sum, [what, n]) => (what === 'not sent' ? sum : sum + n), 0);
  const accepted = creation.acknowledged.length;
  report(
    {
      phase: 'saturation',
      offered_per_s: Math.round(rate * OVERLOAD),
      sent,
      accepted,
      refused_share: round(refused / sent),
      p50_ms: creation.percentile(0.5),
      p99_ms: p99,
      answers: JSON.stringify(answers),
    },
    unless(refused > 0, 'no request was rejected'),
    unless(accepted + refused === sent, 'some responses were neither 201 nor a rejection with Retry-After'),
    unless(p99 < LIMITS.p99MsAtSaturation, `p99 of ${p99} ms, not below ${LIMITS.p99MsAtSaturation}`),
  );
  creation.end(served);
}

/** Kills the server while tasks are created, and restarts it at the same address. */
async function killed({ url, rate, served, server, start }) {
  const creation = new Creation(url, MOST_OPEN);
  const creating = openLoop({ perSecond: rate / 4, seconds: 6 }, (due) => creation.create(due));
  await sleep(2_000);
  await server.stop('SIGKILL');
  const next = await start(['server', '--bind', new URL(url).host]);
  await creating;
  report({ phase: 'killed', created: creation.acknowledged.length, answers: JSON.stringify(creation.answers) });
  creation.end(served);
  return next;
}

/** Waits until every acknowledged task is complete and every stream has received its end. */
async function verify({ probe, readers, served, held }) {
  const from = performance.now();
  const left = () => performance.now() - from < SETTLED_MS;
  const countOf = async (tasks, state) => {
    const sql = 'select count(*)::int n from tasker.task where task_uuid = any ($1::uuid[]) and state::text = $2';
    return (await probe.query(sql, [tasks, state])).rows[0].n;
  };
  let complete = 0;
  while (complete < served.length && left()) {
    complete = await countOf(served, 'complete');
    if (complete < served.length) await sleep(500);
  }
  const finishedMs = Math.round(performance.now() - from);
  let missing;
  do {
    missing = await readers.ask('missing', { held, served });
    if (missing.own + missing.others > 0) await sleep(500);
  } while (missing.own + missing.others > 0 && left());
  const { events, reconnected, resumed, resets, refused } = await readers.ask('counts');
  report(
    {
      phase: 'end',
      acknowledged: served.length,
      complete,
      complete_after_ms: finishedMs,
      received_after_ms: Math.round(performance.now() - from),
      missing_in_own_streams: missing.own,
      missing_in_streams_of_all: missing.others,
      events,
      reconnected,
      resumed,
      resets,
      refused,
    },
    unless(complete === served.length, `${served.length - complete} acknowledged tasks are not complete`),
    unless(missing.own + missing.others === 0, 'some streams missed changes'),
    unless(resumed >= streams + everything, 'not every stream was resumed after the kill'),
  );
}

await withServer((serverUrl, folder) =>
  withDatabase(serverUrl, async (databaseUrl) => {
    const start = await projectIn(folder, databaseUrl);
    const worker = await start(['worker', '--web', 'off', '--namespace', 'bench']);
    let server = await start(['server', '--bind', '127.0.0.1:0']);
    const { url } = server;
    const probe = await probeOf(databaseUrl);
    const readers = readersOf(url);
    const served = [];
    try {
      const holding = new Creation(url, LANES);
      await Promise.all(
        Array.from({ length: LANES }, async () => {
          while (holding.begun < streams) await holding.create(undefined, HOLD);
        }),
      );
      const held = holding.acknowledged;
      await readers.ask('open', { tasks: held, everything });
      const rate = await maximum({ url, served });
      await idle(probe);
      const cpuOfDatabase = await serverCpu(probe);
      const cpuOf = () => ({ server: processCpu(server.pid), database: cpuOfDatabase() });
      await half({ url, rate, served, held, cpuOf });
      await saturation({ url, rate, served });
      server = await killed({ url, rate, served, server, start });
      await verify({ probe, readers, served, held });
    } finally {
      await readers.close();
      await Promise.all([server.stop(), worker.stop()]);
      await probe.end();
    }
  }),
);
process.exitCode = misses.length === 0 ? 0 : 1;
