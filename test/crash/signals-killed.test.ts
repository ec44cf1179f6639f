import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { invariants, itOnce } from '../support/setup.ts';
import { signalStep, waitingBench } from '../support/waits/waiting.ts';

const TASKS = 300;
const SENDERS = 3;
const KILLS = 8;

// Sends each signal twice with its key, half of them from a transaction of its own, and writes what was acknowledged.
const SENDER = `
  import { writeSync } from 'node:fs';
  import pg from 'pg';
  const { createTasker } = await import(process.env.PACKAGE);
  const tasker = await createTasker({ worker: false });
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  for (const [i, task] of JSON.parse(process.env.TASKS).entries()) {
    for (const value of [i, -1 - i]) {
      const options = { idempotencyKey: 'k' + i, by: 'sender' };
      if (i % 2 === 0) {
        await tasker.signal(task, 'go', value, options);
      } else {
        await client.query('begin');
        await tasker.signal(task, 'go', value, { ...options, client });
        await client.query('commit');
      }
      writeSync(1, task + '\\n');
    }
  }
  writeSync(1, 'end\\n');
  await client.end();
  await tasker.stop();
`;

function send(databaseUrl: string, tasks: readonly string[], acknowledged: Set<string>) {
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', SENDER], {
    env: {
      PATH: process.env.PATH ?? '',
      PACKAGE: pathToFileURL('dist/index.js').href,
      DATABASE_URL: databaseUrl,
      TASKS: JSON.stringify(tasks),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let lines = 0;
  let ended = false;
  createInterface(child.stdout!).on('line', (line) => {
    lines++;
    if (line === 'end') ended = true;
    else acknowledged.add(line);
  });
  return {
    child,
    lines: () => lines,
    ended: () => ended,
    over: new Promise((resolve) => child.once('close', resolve)),
  };
}

itOnce(
  'no acknowledged signal is lost and none is used twice, although its senders are killed',
  async () => {
    const { tasker, work, engine, sql, url } = await waitingBench({ a: signalStep('go'), b: ['a'] });
    const tasks = (
      await tasker.createTasks(
        Array.from({ length: TASKS }, () => ({ namespace: 'test', name: 'demo', version: '1.0.0' })),
      )
    ).map(({ taskUuid }) => taskUuid);
    const acknowledged = new Set<string>();
    let over = false;
    // Steps begin to wait while signals arrive.
    const working = (async () => {
      while (!over) await work();
    })();
    let kills = 0;
    const senders = Array.from({ length: SENDERS }, async (_, number) => {
      const mine = tasks.filter((_, i) => i % SENDERS === number);
      for (;;) {
        const sender = send(url, mine, acknowledged);
        if (kills < KILLS) {
          const after = 5 + Math.floor(Math.random() * 60);
          while (sender.lines() < after && sender.child.exitCode === null)
            await new Promise((resolve) => setTimeout(resolve, 2));
          sender.child.kill('SIGKILL');
          kills++;
        }
        await sender.over;
        if (sender.ended()) return;
      }
    });
    await Promise.all(senders);
    await engine.signalInbox.use();
    over = true;
    await working;
    await work();
    expect(kills).toBeGreaterThanOrEqual(KILLS);
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
  120_000,
);
