import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startServer } from '../support/crash/server.ts';
import { openJournal, startWorker } from '../support/crash/workers.ts';
import { DEMO, invariants, itOnce, template, until } from '../support/setup.ts';
import { signalStep } from '../support/waits/waiting.ts';

const PROVE = process.env.PROVE === '1';
const TASKS = Number(process.env.TASKER_SIGNAL_TASKS ?? (PROVE ? 20_000 : 300));
const SENDERS = PROVE || TASKS >= 20_000 ? 8 : 3;
const KILLS = Math.max(8, Math.round(TASKS / 500));
/** Number of workers to kill. A new process needs seconds to start on a busy machine. */
const DEATHS = Math.max(2, Math.round(TASKS / 1_000));
const RESTARTS = Math.max(1, Math.round(TASKS / 5_000));
const WORKERS = 2;

// Sends each signal twice with its key, half of them in a separate transaction, and records the acknowledgements.
const SENDER = `
  import { readFileSync, writeSync } from 'node:fs';
  import pg from 'pg';
  const { createTasker, silentLogger } = await import(process.env.PACKAGE);
  const again = async (work) => {
    for (let tries = 0; ; tries++) {
      try {
        return await work();
      } catch (error) {
        // The server restarts. Anything else is a mistake.
        const code = error.code ?? error.cause?.code;
        if (tries > 600 || ['bad_request', 'signal_refused', 'wait_over', 'task_not_found'].includes(code)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  const tasker = await again(() => createTasker({ worker: false, logger: silentLogger }));
  let client;
  const inTransaction = (work) => again(async () => {
    try {
      if (!client) {
        client = new pg.Client({ connectionString: process.env.DATABASE_URL });
        client.on('error', () => {});
        await client.connect();
      }
      await client.query('begin');
      await work(client);
      await client.query('commit');
    } catch (error) {
      client?.end().catch(() => {});
      client = undefined;
      throw error;
    }
  });
  const { first, tasks } = JSON.parse(readFileSync(0, 'utf8'));
  for (let i = first; i < tasks.length; i++) {
    const task = tasks[i];
    for (const value of [i, -1 - i]) {
      const options = { idempotencyKey: 'k' + i, by: 'sender' };
      if (i % 2 === 0) await again(() => tasker.signal(task, 'go', value, options));
      else await inTransaction((tx) => tasker.signal(task, 'go', value, { ...options, client: tx }));
      writeSync(1, i + ' ' + task + '\\n');
    }
  }
  writeSync(1, 'end\\n');
  await client?.end();
  await tasker.stop();
`;

/** Starts a process that sends the signals of these tasks, from the task at `first` on. */
function send(databaseUrl: string, of: { first: number; tasks: readonly string[] }, acknowledged: Set<string>) {
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', SENDER], {
    env: {
      PATH: process.env.PATH ?? '',
      PACKAGE: pathToFileURL('dist/bundle/index.js').href,
      DATABASE_URL: databaseUrl,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdin!.on('error', () => {}); // a killed process does not read
  child.stdin!.end(JSON.stringify(of));
  let [lines, last, ended] = [0, of.first, false];
  createInterface(child.stdout!).on('line', (line) => {
    lines++;
    if (line === 'end') ended = true;
    else {
      const [index, task] = line.split(' ');
      last = Number(index);
      acknowledged.add(task!);
    }
  });
  return {
    child,
    lines: () => lines,
    last: () => last,
    ended: () => ended,
    over: new Promise((resolve) => child.once('close', resolve)),
  };
}

itOnce(
  'no acknowledged signal is lost or used twice although senders, workers and the server are killed',
  async () => {
    const server = await startServer();
    const { sql, url } = server;
    const steps = {
      a: { ...signalStep('go', { schema: { type: 'integer' } }), retry: { max_attempts: 50 } },
      b: { handler: 'work', dependencies: ['a'], retry: { max_attempts: 50, backoff: 'none' } },
    };
    const tasker = await createTasker({
      databaseUrl: url,
      templates: template(steps),
      worker: false,
      logger: silentLogger,
    });
    onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
    const tasks: string[] = [];
    while (tasks.length < TASKS) {
      const requests = Array.from({ length: Math.min(500, TASKS - tasks.length) }, () => DEMO);
      for (const { taskUuid } of await tasker.createTasks(requests)) tasks.push(taskUuid);
    }
    const acknowledged = new Set<string>();
    const journal = openJournal();
    const start = () =>
      startWorker({
        databaseUrl: url,
        journal,
        leaseMs: 1_500,
        pollMs: 200,
        concurrency: 50,
        poolSize: 6,
        retries: 600,
      });
    // Steps begin to wait while signals arrive.
    const workers = await Promise.all(Array.from({ length: WORKERS }, start));
    let [kills, deaths, restarts, over] = [0, 0, 0, false];
    const due = (count: number, all: number) => acknowledged.size >= ((count + 1) * TASKS) / (all + 1);
    const disturbing = (async () => {
      while (!over) {
        await sleep(50);
        if (restarts < RESTARTS && due(restarts, RESTARTS)) {
          await server.crash();
          restarts++;
        }
        if (deaths < DEATHS && due(deaths, DEATHS)) {
          await workers[deaths % WORKERS]!.end('SIGKILL');
          workers[deaths % WORKERS] = await start();
          deaths++;
        }
      }
    })();
    const senders = Array.from({ length: SENDERS }, async (_, number) => {
      const mine = tasks.filter((_, i) => i % SENDERS === number);
      for (let first = 0; ; ) {
        const sender = send(url, { first, tasks: mine }, acknowledged);
        if (kills < KILLS) {
          kills++;
          const after = 5 + Math.floor(Math.random() * Math.max(60, (mine.length * SENDERS) / KILLS));
          while (sender.lines() < after && sender.child.exitCode === null) await sleep(2);
          sender.child.kill('SIGKILL');
        }
        await sender.over;
        if (sender.ended()) return;
        first = sender.last();
      }
    });
    await Promise.all(senders);
    over = true;
    await disturbing;
    await until(
      async () => (await sql<{ n: number }>(`select count(*)::int n from tasker.task where done_at is null`))[0]!.n,
      (open) => open === 0,
      60_000 + TASKS * 10,
    );
    console.log(`${TASKS} tasks, ${kills} senders and ${deaths} workers killed, ${restarts} restarts of the server`);
    expect(Math.min(kills, deaths, restarts)).toBeGreaterThanOrEqual(1);
    expect(acknowledged.size).toBe(TASKS);
    const ends = await sql<{ status: string; n: number }>(
      `select state::text status, count(*)::int n from tasker.task group by 1`,
    );
    expect(ends).toEqual([{ status: 'complete', n: TASKS }]);
    const [counts] = await sql(
      `select count(*)::int signals, count(distinct task_uuid)::int tasks, count(used_at)::int used from tasker.signal`,
    );
    expect(counts).toEqual({ signals: TASKS, tasks: TASKS, used: TASKS });
    const wrong = await sql(`
      select 1 from tasker.signal x join tasker.step s on s.task_uuid = x.task_uuid and s.idx = 0
       where s.result <> x.payload or x.key <> 'k' || case when (x.payload)::int < 0 then -1 - (x.payload)::int else (x.payload)::int end`);
    expect(wrong).toEqual([]);
    await invariants(sql);
  },
  180_000 + TASKS * 60,
);
