import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { TaskerError } from '../../../src/errors.ts';
import type { TaskTemplate } from '../../../src/template/task-template.ts';
import type { Sql } from '../database.ts';
import { type Journal, type Noted, workTemplate } from './workers.ts';

const AGAIN = { retry: { max_attempts: 4, backoff: 'linear', backoff_base_ms: 100 } };
const waits = (type: string, settings: object, dependencies: string[]) => ({
  handler: undefined,
  type,
  [type]: settings,
  dependencies,
});

/** A template with a step of each kind of wait. All limits are short, so that a task ends on its own or fails. */
export const WAITING_TEMPLATE: TaskTemplate = workTemplate(
  {
    root: AGAIN,
    pause: waits('timer', { for: '0.15s' }, ['root']),
    go: waits('signal', { name: 'go', timeout: '3s', on_timeout: 'complete', default: { run: 'none' } }, ['root']),
    pair: waits('signal', { name: 'pair', count: 2, timeout: '4s' }, ['root']),
    ask: waits('approval', { title: 'Continue?', quorum: 2, remind_after: '0.5s', timeout: '4s' }, ['root']),
    call: { ...AGAIN, dependencies: ['pause'] },
    poll: { ...AGAIN, dependencies: ['go'] },
    last: { ...AGAIN, dependencies: ['call', 'poll', 'pair', 'ask'] },
  },
  { name: 'waits' },
);

/** The behaviour of the steps of {@link WAITING_TEMPLATE} whose handlers wait. */
export const WAITING_BEHAVIOUR = { call: { later: { timeoutMs: 2_000 } }, poll: { calls: 3 } };

interface SentSignal {
  task: string;
  name: string;
  key: string;
}

/** Sends signals and votes to random tasks, and acts on their timers and tokens. Records the acknowledgements. */
export class WaitFaults {
  readonly #tasker: Tasker;
  readonly #sql: Sql;
  readonly #journal: Journal;
  readonly #random: () => number;
  /** The signals that were acknowledged, by task, name and key. */
  readonly signals = new Map<string, SentSignal>();
  /** The results of completions that were acknowledged as the first of their token, by the attempt's token. */
  readonly completions = new Map<string, { noted: Noted; run: string }>();
  /** Tokens that were used. */
  readonly #used = new Set<string>();
  /** Number of actions that were accepted, by kind. */
  readonly done = { signal: 0, vote: 0, timer: 0, token: 0 };
  #keys = 0;

  constructor(parts: { tasker: Tasker; sql: Sql; journal: Journal; random: () => number }) {
    this.#tasker = parts.tasker;
    this.#sql = parts.sql;
    this.#journal = parts.journal;
    this.#random = parts.random;
  }

  /** Acts on random tasks until it is stopped, concurrently with everything else. `trying` ignores expected errors. */
  keepActing(trying: (act: () => Promise<unknown>) => Promise<unknown>): { stop(): Promise<void> } {
    let stopped = false;
    const acts = [() => this.signal(), () => this.vote(), () => this.timer(), () => this.token()];
    const loops = acts.map(async (act) => {
      while (!stopped) {
        await trying(act);
        await sleep(20 + this.#random() * 150);
      }
    });
    const all = Promise.all(loops);
    all.catch(() => undefined);
    return {
      stop: async () => {
        stopped = true;
        await all;
      },
    };
  }

  async #openTasks(limit: number): Promise<string[]> {
    const rows = await this.#sql<{ id: string }>(
      `select t.task_uuid id from tasker.task t join tasker.template m on m.id = t.template_id
        where t.done_at is null and m.name = 'waits' order by random() limit $1`,
      [limit],
    );
    return rows.map((row) => row.id);
  }

  /** Sends signals to some tasks, some of them before the step waits, and many of them twice with their key. */
  async signal(limit = 4): Promise<void> {
    const tasks = await this.#openTasks(limit);
    await Promise.all(tasks.map((task) => this.#signalOne(task)));
  }

  async #signalOne(task: string): Promise<void> {
    const name = this.#random() < 0.4 ? 'go' : 'pair';
    const key = `k${++this.#keys}`;
    const send = async () => {
      const { signalId, tasks } = await this.#tasker.signal(task, name, { run: key }, { idempotencyKey: key });
      this.signals.set(`${task} ${name} ${key}`, { task, name, key });
      this.done.signal++;
      return { signalId, duplicate: tasks[0]!.duplicate };
    };
    const [first, second] = await this.#each(this.#random() < 0.5 ? [send, send] : [send]);
    if (!first || !second) return;
    expect(second.signalId).toBe(first.signalId);
    expect([first.duplicate, second.duplicate].filter(Boolean)).toHaveLength(1);
  }

  /** Votes on the approvals of some tasks. */
  async vote(limit = 4): Promise<void> {
    const vote = (task: string) => async () => {
      const by = this.#random() < 0.5 ? 'ann' : 'bob';
      await this.#tasker.approvals.vote(task, 'ask', { decision: this.#random() < 0.9 ? 'approve' : 'reject', by });
      this.done.vote++;
    };
    await this.#each((await this.#openTasks(limit)).map(vote));
  }

  /** Fires or moves the timers of some tasks. */
  async timer(limit = 4): Promise<void> {
    const act = (task: string) => async () => {
      if (this.#random() < 0.5) await this.#tasker.fireTimer(task, 'pause');
      else await this.#tasker.moveTimer(task, 'pause', new Date(Date.now() + 200));
      this.done.timer++;
    };
    await this.#each((await this.#openTasks(limit)).map(act));
  }

  /** Completes, fails or extends attempts with their tokens, some of them twice immediately. */
  async token(limit = 6): Promise<void> {
    const tokens = this.#journal.of('token').filter(({ token }) => !this.#used.has(token!));
    await Promise.all(tokens.slice(-limit).map((noted) => this.#useToken(noted)));
  }

  async #useToken(noted: Noted): Promise<void> {
    const token = noted.token!;
    const dice = this.#random();
    const complete = async () => {
      const run = `token ${++this.#keys}`;
      const { repeated } = await this.#tasker.completeByToken(token, { run });
      if (!repeated) {
        expect(this.completions.has(token)).toBe(false);
        this.completions.set(token, { noted, run });
      }
      this.#used.add(token);
      this.done.token++;
    };
    const fail = async () => {
      await this.#tasker.failByToken(token, 'the other system failed');
      this.#used.add(token);
      this.done.token++;
    };
    const extend = async () => void (await this.#tasker.extendByToken(token, { timeoutMs: 1_500 }));
    await this.#each(dice < 0.5 ? [complete, complete] : dice < 0.75 ? [complete] : dice < 0.9 ? [fail] : [extend]);
  }

  /** Runs acts at the same time, and returns the results of the accepted ones. Throws other errors. */
  async #each<T>(acts: readonly (() => Promise<T>)[]): Promise<T[]> {
    const results = await Promise.allSettled(acts.map((act) => act()));
    const done: T[] = [];
    for (const result of results) {
      if (result.status === 'fulfilled') done.push(result.value);
      else if (!isRefused(result.reason)) throw result.reason;
    }
    return done;
  }

  /** Ends waits, so that tasks end before their timeouts. */
  async settle(): Promise<void> {
    await this.signal(20);
    await this.vote(20);
    await this.token(20);
  }

  /** Checks the acknowledgements against the database. Tasks in `gone` were pruned. */
  async check(gone: ReadonlySet<string>): Promise<void> {
    const stored = await this.#sql<{ task: string; name: string; key: string; n: number }>(
      `select task_uuid task, name, key, count(*)::int n from tasker.signal where key is not null group by 1, 2, 3`,
    );
    const counts = new Map(stored.map(({ task, name, key, n }) => [`${task} ${name} ${key}`, n]));
    expect(stored.filter(({ n }) => n > 1)).toEqual([]);
    const lost = [...this.signals].filter(([key, { task }]) => !gone.has(task) && !counts.has(key));
    expect(lost).toEqual([]);
    // Each signal is used by one step, and the result of the step is its payload.
    const wrong = await this.#sql(`
      select x.task_uuid, x.name, x.key, s.state, s.result, x.payload
        from tasker.signal x join tasker.step s on s.task_uuid = x.task_uuid and s.idx = x.used_by
       where x.name = 'go' and s.state = 'complete' and x.used_attempt = s.attempts and s.result <> x.payload
         and not exists (select 1 from tasker.operator_action a where a.task_uuid = s.task_uuid and a.idx = s.idx)`);
    expect(wrong).toEqual([]);
    const unequal = await this.#sql(`
      select x.task_uuid, x.used_by, x.used_attempt, count(*)::int n
        from tasker.signal x where x.name = 'pair' and x.used_by is not null group by 1, 2, 3 having count(*) <> 2`);
    expect(unequal).toEqual([]);
    const rerun = new Set(
      (await this.#sql<{ id: string }>(`select task_uuid id from tasker.operator_action`)).map((row) => row.id),
    );
    const results = new Map(
      (
        await this.#sql<{ task: string; run: string }>(
          `select s.task_uuid task, s.result ->> 'run' run from tasker.step s join tasker.task t using (task_uuid)
             join tasker.template_step m on m.template_id = t.template_id and m.idx = s.idx
            where m.name = 'call' and s.state = 'complete'`,
        )
      ).map(({ task, run }) => [task, run]),
    );
    const dropped = [...this.completions.values()]
      .filter(({ noted: { task } }) => !gone.has(task) && !rerun.has(task))
      .filter(({ noted: { task }, run }) => results.get(task) !== run);
    expect(dropped).toEqual([]);
  }
}

/** Errors of actions on waits that have ended, or whose task or step does not exist any more. */
const REFUSED = [
  'wait_over',
  'signal_refused',
  'token_invalid',
  'task_not_found',
  'step_not_found',
  'illegal_transition',
];

function isRefused(error: unknown): boolean {
  return error instanceof TaskerError && REFUSED.includes(error.code);
}
