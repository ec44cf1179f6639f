import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import type { CreateTaskerOptions } from '../../../src/app/create-tasker.ts';
import type { TaskTemplate } from '../../../src/template/task-template.ts';
import type { Sql } from '../database.ts';
import { template } from '../setup.ts';

/** What a handler or the worker noted, in the order in which one process noted it. */
export interface Noted {
  pid: number;
  what: 'start' | 'end' | 'abort' | 'ended' | 'log' | 'stopped';
  task: string;
  step: string;
  /** Of the step, as its handler counts. */
  attempt: number;
  /** Names one call of a handler; it is part of the step's result. */
  run: string;
  /** At a start: which run of each ancestor's handler the results come from. */
  seen: Record<string, string | null>;
  reason?: string;
  /** Of a task's end: the line comes after the commit, so it is an acknowledgement. */
  task_uuid?: string;
  state?: string;
  level?: string;
  message?: string;
  error?: string;
}

/** A folder in which the workers of one test note what they do. */
export interface Journal {
  folder: string;
  /** All notes of all workers so far. */
  read(): Noted[];
  /** The notes of one kind. */
  of(what: Noted['what']): Noted[];
}

export function openJournal(): Journal {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-journal-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // What comes after the last line break is being written right now, or was when its process was killed.
  const read = () =>
    readdirSync(folder).flatMap((name) =>
      readFileSync(path.join(folder, name), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Noted),
    );
  return { folder, read, of: (what) => read().filter((noted) => noted.what === what) };
}

/** What a worker process is given: serializable options of createTasker, and what is its own. */
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
    | 'name'
  > {
  journal: Journal;
  /** The file beside this one that it runs. Default `crash-worker.mjs`. */
  program?: string;
  /** For SIGTERM. Default 2,000. */
  drainTimeoutMs?: number;
  /** How often to try to connect, every 100 ms, while the server is away. Default: not again. */
  retries?: number;
  env?: Record<string, string>;
  /** For `event-worker.mjs`: whom it delivers events to, and how many of a hundred deliveries fail. */
  groups?: readonly { group: string; failing?: number }[];
}

export interface WorkerProcess {
  child: ChildProcess;
  pid: number;
  /** Asks it to stop, and waits until it ended by itself; gives its exit code. */
  stop(drainTimeoutMs?: number): Promise<number | null>;
  /** Sends a signal and waits until the process is gone; gives its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  signal(signal: NodeJS.Signals): void;
  /** Keeps its event loop busy until what this gives is called. */
  block(): () => void;
  /** The exit code, or undefined while it runs. */
  readonly code: number | null | undefined;
}

let started = 0;

/** Starts a worker that runs the handler `work`; answers when it works. It does not outlive the test. */
export async function startWorker({
  journal,
  env,
  program = 'crash-worker.mjs',
  ...options
}: WorkerSetup): Promise<WorkerProcess> {
  // Its name sorts as the workers were started: files of one process share this counter.
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
  child.stdin.on('error', () => {}); // a killed process reads no more
  const ready = once(createInterface({ input: child.stdout }), 'line');
  const early = exited.then((status) => Promise.reject(new Error(`the worker ended with ${status} before it worked`)));
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

/** A template whose steps all have the handler `work`: `{ a: [], b: ['a'] }`, or the step in full. */
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

/** What the handler `work` does in a step: `*` is for all steps. `late`: its first attempt ends, well, after its signal. `result`: what it returns, besides. */
export type Behaviour = Record<
  string,
  { ms?: number; deaf?: boolean; late?: boolean; fail?: 'once' | 'always'; result?: object }
>;

/**
 * What an acknowledgement said and the database does not: a child that was given the result of a run which is not the
 * stored one, a task that was told to have ended and has not.
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
  const lost = journal
    .of('start')
    .flatMap(({ task, seen }) => Object.entries(seen).map(([parent, run]) => ({ key: `${task} ${parent}`, run })))
    .filter(({ key, run }) => stored.get(key) !== run)
    .map(({ key, run }) => `${key} was recorded as ${run}, and is ${stored.get(key)}`);
  const complete = new Set(
    (await sql<{ id: string }>(`select task_uuid id from tasker.task where state = 'complete'`)).map((row) => row.id),
  );
  for (const { task_uuid, state } of journal.of('ended')) {
    if (state === 'complete' && !complete.has(task_uuid!)) lost.push(`task ${task_uuid} was complete`);
  }
  return lost;
}

/** Steps whose handler was called more than once under one attempt, as `step attempt`. */
export function startedTwice(journal: Journal): string[] {
  const seen = new Set<string>();
  return journal.of('start').flatMap(({ task, step, attempt }) => {
    const key = `${task} ${step} ${attempt}`;
    if (seen.has(key)) return [key];
    seen.add(key);
    return [];
  });
}
