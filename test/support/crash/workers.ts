import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished } from 'vitest';
import type { CreateTaskerOptions } from '../../../src/app/create-tasker.ts';
import type { TaskTemplate } from '../../../src/template/task-template.ts';
import type { Sql } from '../database.ts';
import { template } from '../setup.ts';

/** A note of a handler or a worker. The notes of one process are in order. */
export interface Noted {
  pid: number;
  what: 'start' | 'end' | 'abort' | 'ended' | 'log' | 'stopped' | 'token';
  task: string;
  step: string;
  /** The number of the attempt, as the handler sees it. */
  attempt: number;
  /** Number of reruns of the step. */
  rerun: number;
  /** The id of one call of a handler, which is part of the step's result. */
  run: string;
  /** In a note about the start of a handler: the run of each ancestor whose result the handler received. */
  seen: Record<string, string | null>;
  reason?: string;
  /** The completion token of the attempt. */
  token?: string;
  /** For the end of a task. The note is written after the commit, so it is an acknowledgement. */
  task_uuid?: string;
  state?: string;
  level?: string;
  message?: string;
  error?: string;
}

/** A folder for the notes of the workers of one test. */
export interface Journal {
  folder: string;
  /** Returns all notes of all workers so far. */
  read(): Noted[];
  /** Returns the notes of one kind. */
  of(what: Noted['what']): Noted[];
}

export function openJournal(): Journal {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-journal-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // Text after the last line break is still being written, or its process was killed while writing it.
  const read = () =>
    readdirSync(folder).flatMap((name) =>
      readFileSync(path.join(folder, name), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Noted),
    );
  return { folder, read, of: (what) => read().filter((noted) => noted.what === what) };
}

/** Options of a worker process: serializable options of createTasker, and its own. */
export interface WorkerSetup
  extends Pick<
    CreateTaskerOptions,
    | 'databaseUrl'
    | 'databaseDirectUrl'
    | 'concurrency'
    | 'leaseMs'
    | 'blockedLoopBoundMs'
    | 'poolSize'
    | 'pollMs'
    | 'handlerMissingGraceMs'
    | 'name'
  > {
  journal: Journal;
  /** The file in this folder to run. Default `crash-worker.mjs`. */
  program?: string;
  /** The drain time after SIGTERM. Default 2,000. */
  drainTimeoutMs?: number;
  /** How many times to retry the connection, every 100 ms, while the server is down. Default: no retries. */
  retries?: number;
  env?: Record<string, string>;
  /** For `event-worker.mjs`: the groups to deliver events to, and the share of deliveries that fail, from 0 to 1. */
  groups?: readonly { group: string; failing?: number }[];
}

export interface WorkerProcess {
  child: ChildProcess;
  pid: number;
  /** Tells the process to stop, and waits until it exits on its own. Returns its exit code. */
  stop(drainTimeoutMs?: number): Promise<number | null>;
  /** Sends a signal, and waits until the process has exited. Returns its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  signal(signal: NodeJS.Signals): void;
  /** Blocks its event loop until the returned function is called. */
  block(): () => void;
  /** The exit code; undefined while it is running. */
  readonly code: number | null | undefined;
}

let started = 0;

/** Starts a worker that runs the handler `work`. Resolves when it is running. Stops it when the test ends. */
export async function startWorker({
  journal,
  env,
  program = 'crash-worker.mjs',
  ...options
}: WorkerSetup): Promise<WorkerProcess> {
  // Names sort in the order in which workers start. Test files in one process share this counter.
  const file = path.join(journal.folder, `${String(++started).padStart(6, '0')}.jsonl`);
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, program), JSON.stringify({ ...options, journal: file })],
    {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let code: number | null | undefined;
  const exited = once(child, 'exit').then(([status]) => (code = status as number | null));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  child.stdin.on('error', () => {}); // a killed process does not read
  const ready = once(createInterface({ input: child.stdout }), 'line');
  const early = exited.then((status) =>
    Promise.reject(new Error(`the worker ended with ${status} before it was running`)),
  );
  await Promise.race([ready, early]);
  early.catch(() => undefined);
  return {
    child,
    pid: child.pid!,
    stop(drainTimeoutMs = 2_000) {
      child.stdin.write(`stop ${drainTimeoutMs}\n`);
      return exited;
    },
    end(signal) {
      child.kill(signal);
      return exited;
    },
    signal: (signal) => void child.kill(signal),
    block() {
      const blocked = `${journal.folder}.blocked`;
      writeFileSync(blocked, '');
      const unblock = () => rmSync(blocked, { force: true });
      onTestFinished(unblock);
      child.stdin.write(`block ${blocked}\n`);
      return unblock;
    },
    get code() {
      return code;
    },
  };
}

/** Creates a template whose steps all have the handler `work`: `{ a: [], b: ['a'] }`, or with full steps. */
export function workTemplate(
  steps: Record<string, readonly string[] | Record<string, unknown>>,
  task: Record<string, unknown> = {},
): TaskTemplate {
  const full = Object.entries(steps).map(([name, step]) => [
    name,
    { handler: 'work', ...(Array.isArray(step) ? { dependencies: step } : (step as Record<string, unknown>)) },
  ]);
  return template(Object.fromEntries(full) as Record<string, Record<string, unknown>>, task);
}

/**
 * The behaviour of the handler `work` in each step, or with `*` in all steps. `late`: the first attempt succeeds after
 * its signal has fired. `result`: an additional result. `later`: returns `completeLater`. `calls`: returns `notYet`
 * this many times.
 */
export type Behaviour = Record<
  string,
  {
    ms?: number;
    deaf?: boolean;
    late?: boolean;
    fail?: 'once' | 'always';
    result?: object;
    later?: { timeoutMs: number };
    calls?: number;
  }
>;

/**
 * Returns acknowledgements that contradict the database: a child that received the result of another run than the stored
 * one, or a task that was reported as ended and has not ended.
 */
export async function lostAcknowledgements(journal: Journal, sql: Sql): Promise<string[]> {
  const stored = new Map<string, string | null>();
  const rows = await sql<{ task_uuid: string; name: string; run: string | null }>(
    `select s.task_uuid, coalesce(w.name, m.name) name, s.result->>'run' run
       from tasker.step s join tasker.task t using (task_uuid)
       left join tasker.batch_worker w using (task_uuid, idx)
       left join tasker.template_step m on m.template_id = t.template_id and m.idx = s.idx
      where s.state in ('complete', 'resolved_manually')`,
  );
  for (const { task_uuid, name, run } of rows) stored.set(`${task_uuid} ${name}`, run);
  // A rerun replaces results, and takes back the end of the task.
  const rerun = new Set(
    (await sql<{ id: string }>(`select distinct task_uuid id from tasker.operator_action where action = 'rerun'`)).map(
      (row) => row.id,
    ),
  );
  const lost = journal
    .of('start')
    .filter(({ task }) => !rerun.has(task))
    .flatMap(({ task, seen }) => Object.entries(seen).map(([parent, run]) => ({ key: `${task} ${parent}`, run })))
    .filter(({ key, run }) => stored.get(key) !== run)
    .map(({ key, run }) => `${key} was recorded as ${run}, and is ${stored.get(key)}`);
  const complete = new Set(
    (await sql<{ id: string }>(`select task_uuid id from tasker.task where state = 'complete'`)).map((row) => row.id),
  );
  for (const { task_uuid, state } of journal.of('ended')) {
    if (state === 'complete' && !complete.has(task_uuid!) && !rerun.has(task_uuid!))
      lost.push(`task ${task_uuid} was complete`);
  }
  return lost;
}

/** Returns the steps whose handler was called more than once in one attempt of one run, as `task step rerun.attempt`. */
export function startedTwice(journal: Journal): string[] {
  const seen = new Set<string>();
  return journal.of('start').flatMap(({ task, step, attempt, rerun }) => {
    const key = `${task} ${step} ${rerun}.${attempt}`;
    if (seen.has(key)) return [key];
    seen.add(key);
    return [];
  });
}

/** A template of four steps that must not run twice. */
export const TREE = workTemplate({
  root: { retry: { retryable: false } },
  left: { retry: { retryable: false }, dependencies: ['root'] },
  right: { retry: { retryable: false }, dependencies: ['root'] },
  join: { retry: { retryable: false }, dependencies: ['left', 'right'] },
});

/** Checks that the workers have recovered on their own, and that they stop normally. */
export async function stopAll(workers: WorkerProcess[]): Promise<void> {
  for (const worker of workers) expect(worker.code).toBe(undefined);
  expect(await Promise.all(workers.map((worker) => worker.stop()))).toEqual(workers.map(() => 0));
}
