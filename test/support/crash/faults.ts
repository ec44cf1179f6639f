import { setTimeout as sleep } from 'node:timers/promises';
import type { Tasker } from '../../../src/app/tasker.ts';
import { isConnectionError } from '../../../src/db/connection-error.ts';
import type { PauseTarget } from '../../../src/engine/pause.ts';
import { TaskerError } from '../../../src/errors.ts';
import { look } from '../dead-letters.ts';
import { DEMO } from '../setup.ts';
import { type FaultyProxy, startProxy } from './proxy.ts';
import { Prunes } from './prunes.ts';
import type { OwnServer } from './server.ts';
import { WAITING_BEHAVIOUR, WaitFaults } from './wait-faults.ts';
import { type Behaviour, type Journal, startWorker, type WorkerProcess } from './workers.ts';

export const FAULTS = [
  'kill',
  'stall',
  'terminate',
  'crash',
  'cut',
  'cancel',
  'reset',
  'resolve',
  'rerun',
  'bulk',
  'pause',
  'dlq_add',
  'dlq_redrive',
  'dlq_resolve',
  'prune',
] as const;
type Fault = (typeof FAULTS)[number];

/** The number of cards of each kind in the deck from which faults are drawn. A run of some seconds has every kind. */
const DECK: Record<Fault, number> = {
  kill: 3,
  stall: 2,
  terminate: 6,
  crash: 1,
  cut: 9,
  cancel: 5,
  reset: 7,
  resolve: 5,
  rerun: 5,
  bulk: 3,
  pause: 5,
  dlq_add: 4,
  dlq_redrive: 5,
  dlq_resolve: 2,
  prune: 4,
};

/** A run needs at least this many tasks to be meaningful. */
export const ENOUGH_TASKS = 100;
/** Minimum number of tries for each kind of fault that has not found a target. */
const TRIES = 5;

export interface FaultRun {
  server: OwnServer;
  tasker: Tasker;
  journal: Journal;
  leaseMs: number;
  /** Returns numbers from 0 up to 1, the same for the same seed. */
  random(): number;
}

/** Errors of operators about a task that has changed state, was pruned, or has a dead letter. */
const MOVED_ON = [
  'illegal_transition',
  'timeout',
  'task_not_found',
  'step_not_found',
  'nothing_failed',
  'conflict',
  'dead_letter_not_found',
];

/** A worker that is paused between lock and commit holds its tasks until the server ends its transaction. */
function isHeldByAnother(error: unknown): boolean {
  return (
    error instanceof TaskerError &&
    error.code === 'database_error' &&
    /locked by another transaction|a statement ran for 30 seconds/.test(error.message)
  );
}

/** Pseudo-random numbers that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Injects random faults into three workers, acts as operators on random tasks, and counts both. */
export class FaultDriver {
  readonly #run: FaultRun;
  readonly #workers: WorkerProcess[] = [];
  readonly done = Object.fromEntries(FAULTS.map((fault) => [fault, 0])) as Record<Fault, number>;
  readonly prunes: Prunes;
  readonly waits: WaitFaults;
  /** Tasks whose creation was acknowledged. */
  readonly created: string[] = [];
  /** Workers that exited without being killed. */
  readonly fallen: number[] = [];
  /** The pauses in force. */
  readonly #paused: PauseTarget[] = [];
  #deck: Fault[] = [];
  #proxy!: FaultyProxy;

  constructor(run: FaultRun) {
    this.#run = run;
    this.prunes = new Prunes(run.tasker, run.server.sql);
    const { tasker, server, journal, random } = run;
    this.waits = new WaitFaults({ tasker, sql: server.sql, journal, random });
  }

  async start(): Promise<void> {
    this.#proxy = await startProxy(this.#run.server.url);
    for (let i = 0; i < 3; i++) this.#workers.push(await this.#worker());
  }

  #worker(): Promise<WorkerProcess> {
    const { journal, leaseMs } = this.#run;
    return startWorker({
      databaseUrl: this.#proxy.url,
      journal,
      leaseMs,
      pollMs: 150,
      concurrency: 30,
      poolSize: 8,
      retries: 300,
    });
  }

  #one<T>(list: readonly T[]): T {
    return list[Math.floor(this.#run.random() * list.length)]!;
  }

  /**
   * Creates tasks and injects faults for the given time. Then tries the kinds of faults that have not found a target
   * yet, each at least {@link TRIES} times, and for up to three times as long in total.
   */
  async go(ms: number, templates: readonly string[]): Promise<void> {
    const from = performance.now();
    const waits = this.waits.keepActing((act) => this.#trying(act));
    let tries = 0;
    for (;;) {
      const passed = performance.now() - from;
      const left = passed < ms ? [] : FAULTS.filter((fault) => this.done[fault] === 0);
      const idle = Object.values(this.waits.done).includes(0) || this.created.length <= ENOUGH_TASKS;
      if (passed >= ms && ((left.length === 0 && !idle) || (passed >= 3 * ms && tries >= FAULTS.length * TRIES))) break;
      await this.#create(this.#one(templates));
      await sleep(20 + this.#run.random() * 120);
      // An action may wait half a minute for a lock, so the time alone is not a sufficient bound for the tries.
      if (left.length > 0) {
        // A paused namespace has no targets.
        while (this.#paused.length > 0) await this.#fault('pause', 1);
        await this.#fault(left[tries++ % left.length]!);
      } else await this.#fault(this.#draw());
      this.#noteFallenWorkers();
    }
    await waits.stop();
    for (const worker of this.#workers) worker.signal('SIGCONT');
    this.#proxy.decide = () => undefined;
    while (this.#paused.length > 0) await this.#fault('pause', 1);
  }

  #draw(): Fault {
    if (this.#deck.length === 0) this.#deck = FAULTS.flatMap((fault) => new Array<Fault>(DECK[fault]).fill(fault));
    const [fault] = this.#deck.splice(Math.floor(this.#run.random() * this.#deck.length), 1);
    return fault!;
  }

  async #create(name: string): Promise<void> {
    const requests = Array.from({ length: 6 }, () => {
      const behaviour: Behaviour = { '*': { ms: Math.floor(this.#run.random() * 120) } };
      const dice = this.#run.random();
      if (dice < 0.15) behaviour.left = { fail: 'once' };
      else if (dice < 0.25) behaviour.left = { fail: 'always' };
      else if (dice < 0.28) behaviour.right = { ms: 3_000 };
      if (name === 'dynamic') Object.assign(behaviour, this.#outcomes());
      if (name === 'waits') Object.assign(behaviour, WAITING_BEHAVIOUR);
      const later = this.#run.random() < 0.2 ? { delayMs: Math.floor(this.#run.random() * 500) } : {};
      return { ...DEMO, name, context: behaviour, ...later };
    });
    await this.#trying(async () => {
      for (const { taskUuid } of await this.#run.tasker.createTasks(requests)) this.created.push(taskUuid);
    });
  }

  /** The results of the decision and the analyzer of the template `dynamic`. */
  #outcomes(): Behaviour {
    const step_names = this.#one([['left'], ['right'], ['left', 'right']]);
    const parts = 1 + Math.floor(this.#run.random() * 6);
    const cursor_configs = Array.from({ length: parts }, (_, batch_id) => ({ batch_id }));
    return {
      route: { result: { decision_point_outcome: { type: 'create_steps', step_names } } },
      find: { result: { batch_processing_outcome: { type: 'create_batches', cursor_configs } } },
    };
  }

  /**
   * Ignores expected errors: a lost connection, a step that moved on, and a task or queue locked by a stopped worker.
   */
  async #trying(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      const movedOn = error instanceof TaskerError && MOVED_ON.includes(error.code);
      if (!movedOn && !isHeldByAnother(error) && !isConnectionError(error)) throw error;
      return false;
    }
  }

  async #fault(fault: Fault, resume?: number): Promise<void> {
    await this.#trying(async () => {
      this.done[fault] += await this[fault](resume);
    });
  }

  async kill(): Promise<number> {
    const i = Math.floor(this.#run.random() * this.#workers.length);
    await this.#workers[i]!.end('SIGKILL');
    this.#workers[i] = await this.#worker();
    return 1;
  }

  async stall(): Promise<number> {
    const worker = this.#one(this.#workers);
    worker.signal('SIGSTOP');
    setTimeout(() => worker.signal('SIGCONT'), this.#run.leaseMs * 1.8).unref();
    return 1;
  }

  async terminate(): Promise<number> {
    const rows = await this.#run.server.sql(
      `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()
        order by state = 'active' desc, random() limit 4) x`,
    );
    return rows.length;
  }

  async crash(): Promise<number> {
    await this.#run.server.crash();
    return 1;
  }

  async cut(): Promise<number> {
    const fate = this.#one(['lost', 'answer_lost', 'cut'] as const);
    let left = 2;
    this.#proxy.decide = (sent) =>
      (sent.includes('claim_steps') || sent.includes('record_steps')) && left-- > 0 ? fate : undefined;
    return 1;
  }

  async cancel(): Promise<number> {
    const [row] = await this.#run.server.sql<{ id: string }>(
      `select task_uuid id from tasker.task where done_at is null order by random() limit 1`,
    );
    return row && (await this.#run.tasker.cancelTask(row.id)) ? 1 : 0;
  }

  async #inError(): Promise<{ id: string; name: string } | undefined> {
    const [row] = await this.#run.server.sql<{ id: string; name: string }>(
      `select s.task_uuid id, coalesce(w.name, m.name) name from tasker.step s join tasker.task t using (task_uuid)
         left join tasker.batch_worker w using (task_uuid, idx)
         left join tasker.template_step m on m.template_id = t.template_id and m.idx = s.idx
        where s.state = 'error' and t.done_at is null order by random() limit 1`,
    );
    return row;
  }

  async reset(): Promise<number> {
    const step = await this.#inError();
    if (!step) return 0;
    await this.#run.tasker.retryStep(step.id, step.name);
    return 1;
  }

  async resolve(): Promise<number> {
    const step = await this.#inError();
    if (!step) return 0;
    await this.#run.tasker.resolveStep(step.id, step.name);
    return 1;
  }

  /** Runs a task again from a step that is done. The task may have ended. */
  async rerun(): Promise<number> {
    const [row] = await this.#run.server.sql<{ id: string; name: string }>(
      `select s.task_uuid id, m.name from tasker.step s join tasker.task t using (task_uuid)
         join tasker.template_step m on m.template_id = t.template_id and m.idx = s.idx
        where s.state = 'complete' order by random() limit 1`,
    );
    if (!row) return 0;
    await this.#run.tasker.rerunTask(row.id, { from: row.name });
    return 1;
  }

  /** Retries all tasks that are blocked. */
  async bulk(): Promise<number> {
    const act = this.#run.tasker.bulk.retry({ status: 'blocked_by_failures' }, { reason: 'faults' });
    return (await act.result()).done;
  }

  /**
   * Pauses a task, a template or the namespace, or ends a pause: always if `resume` is 1, and by default half of the
   * time.
   */
  async pause(resume = this.#run.random()): Promise<number> {
    const { tasker } = this.#run;
    const [first] = this.#paused;
    if (first && resume >= 0.5) {
      // A prune may have deleted the task, and its pause with it.
      await tasker.resume(first).catch((error: unknown) => {
        if (!(error instanceof TaskerError) || error.code !== 'task_not_found') throw error;
      });
      this.#paused.shift();
      return 1;
    }
    const targets: PauseTarget[] = [
      { template: 'test/again' },
      { template: 'test/dynamic@1.0.0' },
      { namespace: 'test' },
    ];
    const task = this.created.at(-1);
    const target = this.#one(task === undefined ? targets : [...targets, { task }]);
    // Records the pause first, because the response may be lost. Resuming a target that is not paused changes nothing.
    this.#paused.push(target);
    await tasker.pause(target);
    return 1;
  }

  async dlq_add(): Promise<number> {
    const [row] = await this.#run.server.sql<{ id: string }>(
      `select task_uuid id from tasker.task order by random() limit 1`,
    );
    if (!row) return 0;
    await this.#run.tasker.deadLetters.add(row.id, { reason: 'faults' });
    return 1;
  }

  async #deadLetter(): Promise<string | undefined> {
    const rows = await this.#run.server.sql<{ id: string }>(
      // Entries of blocked tasks come first, because the others cannot be redriven.
      `select d.id from tasker.dead_letter d left join tasker.task t using (task_uuid) where d.status = 'pending'
        order by t.state is distinct from 'blocked_by_failures', random() limit 1`,
    );
    return rows[0]?.id;
  }

  /** Adds blocked tasks to the dead letters, and redrives one of them or all. */
  async dlq_redrive(): Promise<number> {
    const { tasker, random } = this.#run;
    await look(tasker);
    if (random() < 0.3) {
      const act = tasker.deadLetters.redriveAll({ namespace: 'test' }, { reason: 'faults' });
      return (await act.result()).done;
    }
    const id = await this.#deadLetter();
    if (id === undefined) return 0;
    await tasker.deadLetters.redrive(id);
    return 1;
  }

  async dlq_resolve(): Promise<number> {
    if ((await this.#deadLetter()) === undefined) await this.dlq_add();
    const id = await this.#deadLetter();
    return id === undefined ? 0 : this.#run.tasker.deadLetters.resolve(id, { status: 'permanently_failed' });
  }

  /**
   * Prunes the ended tasks of one template, concurrently with the next faults. Half of the prunes are stopped early.
   */
  prune(): Promise<number> {
    const { random } = this.#run;
    const name = this.#one(['again', 'once', 'dynamic', 'waits']);
    const signal = random() < 0.5 ? AbortSignal.timeout(Math.ceil(random() * 300)) : undefined;
    return this.prunes.next({ olderThan: '1s', name }, signal);
  }

  #noteFallenWorkers(): void {
    for (const { code, pid } of this.#workers) if (code !== undefined) this.fallen.push(pid);
  }

  /** Lets operators settle failed steps until every task has ended. */
  async settle(ms: number): Promise<void> {
    const until = performance.now() + ms;
    for (;;) {
      const [row] = await this.#run.server.sql<{ n: number }>(
        `select count(*)::int n from tasker.task where done_at is null`,
      );
      if (row!.n === 0) return;
      if (performance.now() > until) throw new Error(`${row!.n} tasks did not end within ${ms} ms`);
      for (let step = await this.#inError(); step; step = await this.#inError()) {
        const { id, name } = step;
        await this.#trying(() => this.#run.tasker.resolveStep(id, name));
      }
      await this.#trying(() => this.waits.settle());
      await sleep(50);
    }
  }

  /** Stops the workers. Returns their exit codes. */
  stop(): Promise<(number | null)[]> {
    return Promise.all(this.#workers.map((worker) => worker.stop()));
  }
}
