import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { type FaultyProxy, startProxy } from '../support/crash/proxy.ts';
import { openSession, type Sql } from '../support/database.ts';
import { DEMO, deferred, endStates, invariants, setup, TAKES_CHILDREN, template, until } from '../support/setup.ts';

const LEASE_MS = 1_000;
const ONCE = { retry: { retryable: false } };
const holds = (name: string) => (sent: Buffer) => sent.includes(name);
const [isClaim, isRecord, isAdoption, isPoll] = [
  holds('claim_steps'),
  holds('record_steps'),
  holds('adopt_steps'),
  holds('peek\0'),
];

/** A handler that records each of its runs, and waits for `gate` if there is one. */
function noting(ran: string[], name: string, gate?: (context: StepContext) => Promise<unknown>) {
  return defineHandler(name, {}, async ({ context }: { context: StepContext }) => {
    ran.push(`${context.taskUuid} ${name}`);
    await gate?.(context);
    return { from: name };
  });
}

describe('responses that are lost with their connections', () => {
  const cases = {
    'claims that never arrived': [isClaim, 'lost'],
    'claims that were committed': [isClaim, 'answer_lost'],
    'claims that were in progress': [isClaim, 'cut'],
    'recordings that never arrived': [isRecord, 'lost'],
    'recordings that were committed': [isRecord, 'answer_lost'],
    'recordings that were in progress': [isRecord, 'cut'],
  } as const;
  for (const [what, [matches, fate]] of Object.entries(cases)) {
    it(`every step runs exactly once when responses are lost: ${what}`, async () => {
      const ran: string[] = [];
      const { tasker, url, sql, another } = await setup({
        templates: template({ a: ONCE, b: { ...ONCE, dependencies: ['a'] }, c: { ...ONCE, dependencies: ['b'] } }),
        worker: false,
      });
      const proxy = await startProxy(url);
      let seen = 0;
      proxy.decide = (sent) => (matches(sent) && ++seen % 3 === 1 ? fate : undefined);
      // Few slots, so that there are many claims and many recordings.
      await another({
        databaseUrl: proxy.url,
        logger: silentLogger,
        worker: true,
        handlers: ['a', 'b', 'c'].map((name) => noting(ran, name)),
        concurrency: 4,
        pollMs: 200,
      });
      // Batches may be large, but each round has at least one claim and one recording.
      let created = 0;
      for (let round = 0; round === 0 || (proxy.counts[fate] < 3 && round < 10); round++) {
        const tasks = await tasker.createTasks(Array.from({ length: round === 0 ? 40 : 4 }, () => DEMO));
        created += tasks.length;
        expect(await endStates(tasker, tasks)).toEqual(['complete']);
      }
      expect(proxy.counts[fate]).toBeGreaterThan(2);
      expect(ran.length).toBe(3 * created);
      expect(new Set(ran).size).toBe(3 * created);
      await invariants(sql);
    });
  }
});

describe('a recording whose connection was lost after the commit', () => {
  it('is acknowledged even if another transaction locks its task before the check', async () => {
    const { tasker, url, sql, another } = await setup({ templates: template({ a: ONCE }), worker: false });
    const proxy = await startProxy(url);
    let locked = false;
    proxy.decide = (sent) => {
      if (!isRecord(sent) || locked) return undefined;
      return proxy.counts.answer_lost === 0 ? 'answer_lost' : 'lost';
    };
    const session = await openSession(url);
    const handlers = [noting([], 'a')];
    const worker = await another({ databaseUrl: proxy.url, worker: true, handlers, logger: silentLogger });
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await session.query('begin');
    await session.query('select 1 from tasker.task for update');
    locked = true;
    // Longer than the lock timeout of a recording.
    const waits = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    for (const waiting of [1, 0]) {
      await until(
        () => sql(waits),
        (rows) => rows.length === waiting,
      );
    }
    await session.query('commit');
    await until(
      () => worker.stats?.unrecorded,
      (unrecorded) => unrecorded === 0,
    );
    expect(worker.stats).toMatchObject({ processed: 1, refused: 0 });
  });
});

describe('a result that an operator corrects before the response to its recording', () => {
  /** A task whose step `s` is recorded over a faulty connection and corrected while `other` and `gate` run. */
  async function correctedUnanswered(fateOf: (recordings: number) => ReturnType<FaultyProxy['decide']>) {
    const gates = { other: deferred(), gate: deferred() };
    const read: unknown[] = [];
    const steps = { s: [], other: [], gate: [], reader: ['s', 'gate'] };
    const { tasker, url, sql, another } = await setup({ templates: template(steps), worker: false });
    const proxy = await startProxy(url);
    let recordings = 0;
    proxy.decide = (sent) => (isRecord(sent) ? fateOf(++recordings) : undefined);
    const handlers = [
      defineHandler('s', {}, () => ({ value: 'from the handler' })),
      noting([], 'other', () => gates.other.promise),
      noting([], 'gate', () => gates.gate.promise),
      defineHandler('reader', {}, ({ context }: { context: StepContext }) => {
        read.push(context.getDependencyResult('s'));
        return {};
      }),
    ];
    const options = { databaseUrl: proxy.url, worker: true, handlers, logger: silentLogger, ...TAKES_CHILDREN };
    const worker = await another(options);
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => sql(`select 1 from tasker.step where idx = 0 and state = 'complete'`),
      (complete) => complete.length === 1,
    );
    await tasker.completeStep(taskUuid, 's', { result: { value: 'corrected' } });
    /** Waits until the worker knows the outcome of this many recordings. */
    const acknowledged = (count: number) =>
      until(
        () => worker.stats,
        (stats) => stats?.processed === count && stats.refused === 0,
      );
    /** The value that a step reads if it starts after the correction, when `gate` completes. */
    const readByChild = async () => {
      gates.other.resolve();
      gates.gate.resolve();
      expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
      await invariants(sql);
      return read;
    };
    return { proxy, gates, acknowledged, readByChild };
  }

  it('steps that start afterwards read the corrected result even if the worker sends its own result again', async () => {
    let corrected = false;
    // The first try is committed. No later try reaches the server before the operator has acted.
    const { proxy, acknowledged, readByChild } = await correctedUnanswered((recordings) =>
      recordings === 1 ? 'answer_lost' : corrected ? undefined : 'lost',
    );
    corrected = true;
    await acknowledged(1);
    expect(proxy.counts.answer_lost).toBe(1);
    expect(await readByChild()).toEqual([{ value: 'corrected' }]);
  });

  it('steps that start afterwards read the corrected result even if the response arrives after that of a later recording', async () => {
    const { proxy, gates, acknowledged, readByChild } = await correctedUnanswered((recordings) =>
      recordings === 1 ? 'held' : undefined,
    );
    gates.other.resolve();
    await acknowledged(1);
    proxy.release();
    await acknowledged(2);
    expect(await readByChild()).toEqual([{ value: 'corrected' }]);
  });
});

describe('a creation whose response was lost', () => {
  const kinds: Record<string, { idempotencyKey?: string; version?: undefined }> = {
    'a creation without an identity': {},
    'a creation with an identity': { idempotencyKey: 'O-7' },
    'a creation without a version': { version: undefined },
    'a creation with an identity and without a version': { idempotencyKey: 'O-7', version: undefined },
  };
  for (const [what, key] of Object.entries(kinds)) {
    for (const fate of ['lost', 'answer_lost', 'cut'] as const) {
      it(`${what} whose response was lost (${fate}) succeeds and creates one task`, async () => {
        const { url, sql, another } = await setup({ templates: template({ a: [] }), worker: false });
        const proxy = await startProxy(url);
        const creator = await another({ databaseUrl: proxy.url, logger: silentLogger });
        // With an identity, the COMMIT is sent separately after the responses to the other statements.
        const statement = 'version' in key ? 'create_active_tasks' : 'create_tasks';
        const matches = holds(key.idempotencyKey && fate === 'answer_lost' ? 'commit\0' : statement);
        proxy.decide = (sent) => (proxy.counts[fate] === 0 && matches(sent) ? fate : undefined);
        const task = await creator.createTask({ ...DEMO, ...key });
        expect(proxy.counts[fate]).toBe(1);
        expect(task.created).toBe(true);
        expect(await sql('select task_uuid from tasker.task')).toEqual([{ task_uuid: task.taskUuid }]);
        await invariants(sql);
      });
    }
  }
});

describe('adopting steps of a lost claim', () => {
  it('a step that is acknowledged between the query and its response does not run again', async () => {
    const ran: string[] = [];
    const gate = deferred();
    const { tasker, url, another } = await setup({ templates: template({ a: [] }), worker: false });
    const proxy = await startProxy(url);
    let claims = 0;
    let polls = 0;
    proxy.decide = (sent) => {
      if (isClaim(sent) && ++claims === 1) return 'answer_lost';
      return isAdoption(sent) && ++polls === 2 ? 'held' : undefined;
    };
    const { taskUuid } = await tasker.createTask(DEMO);
    const handlers = [noting(ran, 'a', () => gate.promise)];
    await another({ databaseUrl: proxy.url, worker: true, handlers, pollMs: 200, logger: silentLogger });
    await until(
      () => proxy.counts.held,
      (held) => held === 1,
    );
    expect(ran.length).toBe(1);
    gate.resolve();
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    proxy.release();
    // Two more queries have returned after the query whose response was late.
    await until(
      () => polls,
      (seen) => seen >= 4,
    );
    expect(ran.length).toBe(1);
  });
});

describe('a late response', () => {
  /**
   * Creates a task, and a worker behind a proxy. The proxy delays the first response to a message that `matches`, and
   * blocks all traffic once `holds` finds a row. Then another worker takes over, and the task comes to rest.
   */
  async function takenOver(steps: Parameters<typeof template>[0], matches: (sent: Buffer) => boolean, holds: string) {
    const ran: { slow: string[]; other: string[] } = { slow: [], other: [] };
    const handlers = (by: 'slow' | 'other') => Object.keys(steps).map((name) => noting(ran[by], name));
    const options = { worker: false, leaseMs: LEASE_MS, pollMs: 100, logger: silentLogger };
    const { tasker, sql, url, another } = await setup({ templates: template(steps), ...options });
    const proxy = await startProxy(url);
    proxy.decide = (sent) => (matches(sent) && proxy.counts.held === 0 ? 'held' : undefined);
    const { taskUuid } = await tasker.createTask(DEMO);
    await another({ databaseUrl: proxy.url, worker: true, handlers: handlers('slow'), ...TAKES_CHILDREN });
    await until(
      async () => (await sql(holds)).length,
      (rows) => rows === 1,
    );
    proxy.freeze();
    await another({ worker: true, handlers: handlers('other') });
    const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    const runsOf = (by: 'slow' | 'other') => ran[by].filter((run) => run.startsWith(taskUuid));
    /** Waits until both workers work under their current ids and late responses have been handled. */
    const settled = async () => {
      await cameBack(sql);
      const next = await tasker.createTasks(Array.from({ length: 50 }, () => DEMO));
      await endStates(tasker, next);
      await invariants(sql);
    };
    return { sql, proxy, status, runsOf, settled };
  }

  /** Waits until the worker behind the proxy has returned under a new id. */
  const cameBack = (sql: Sql) =>
    until(
      () => sql(`select 1 from tasker.worker`),
      (rows) => rows.length === 3,
    );

  it('a recording with a late response keeps its children even if held steps were verified in between', async () => {
    const ran: string[] = [];
    const { tasker, url, sql, another } = await setup({ templates: template({ a: [], b: ['a'] }), worker: false });
    const proxy = await startProxy(url);
    let recordings = 0;
    let polls = 0;
    proxy.decide = (sent) => {
      if (isPoll(sent)) polls++;
      return isRecord(sent) && ++recordings === 1 ? 'held' : undefined;
    };
    const longEnough = () => new Promise((resolve) => setTimeout(resolve, 2_200));
    await another({
      databaseUrl: proxy.url,
      worker: true,
      handlers: [noting(ran, 'a', longEnough), noting(ran, 'b')],
      pollMs: 50,
      ...TAKES_CHILDREN,
    });
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      async () => (await sql(`select 1 from tasker.step where idx = 0 and state = 'complete'`)).length,
      (complete) => complete === 1,
    );
    // Several queue polls have returned, each followed by a verification of held steps if there were any.
    const before = polls;
    await until(
      () => polls - before,
      (more) => more >= 8,
    );
    proxy.release();
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(ran.length).toBe(2);
    await invariants(sql);
  });

  it('a claim with a late response does not start steps that other workers have taken', async () => {
    const { proxy, status, runsOf, settled } = await takenOver(
      { a: ONCE },
      isClaim,
      `select 1 from tasker.step where state = 'in_progress'`,
    );
    expect(status).toBe('blocked_by_failures');
    proxy.release();
    proxy.thaw();
    await settled();
    expect([...runsOf('slow'), ...runsOf('other')]).toEqual([]);
  });

  const orders = {
    'before the worker learns that it was declared dead': (proxy: FaultyProxy) => {
      proxy.release();
      proxy.thaw();
    },
    'after the worker has learned that it was declared dead': async (proxy: FaultyProxy, sql: Sql) => {
      proxy.thaw();
      await cameBack(sql);
      proxy.release();
    },
  };
  for (const [when, deliver] of Object.entries(orders)) {
    it(`a recording whose response arrives ${when} leaves its children to the workers that have taken them`, async () => {
      // The recording claims the child for a worker that gets no response while it is alive.
      const { sql, proxy, status, runsOf, settled } = await takenOver(
        { a: [], b: ['a'] },
        isRecord,
        `select 1 from tasker.step where idx = 1 and state = 'in_progress'`,
      );
      expect(status).toBe('complete');
      await deliver(proxy, sql);
      await settled();
      expect(runsOf('slow').map((run) => run.split(' ')[1])).toEqual(['a']);
      expect(runsOf('other').map((run) => run.split(' ')[1])).toEqual(['b']);
    });
  }
});
