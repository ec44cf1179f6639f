import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { isConnectionError } from '../../src/db/connection-error.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { type EventNote, faultsOf } from '../support/crash/event-journal.ts';
import { seeded } from '../support/crash/faults.ts';
import { startServer } from '../support/crash/server.ts';
import { openJournal, startWorker, type WorkerProcess, workTemplate } from '../support/crash/workers.ts';
import { DEMO, itOnce, until } from '../support/setup.ts';
import { PROVE, randomSeed } from '../support/suite/effort.ts';

const SEED = randomSeed();
/** At least five events each. */
const TASKS = PROVE ? 10_000 : 200;
const AT_ONCE = PROVE ? 100 : 20;
/** Number of publishers, and of subscribers. */
const PROCESSES = PROVE ? 3 : 2;
/** Pause between two faults. */
const APART_MS = PROVE ? 1_000 : 150;
const LEASE_MS = 1_500;

type Fault = 'publisher killed' | 'subscriber killed' | 'publisher stalled' | 'subscriber stalled' | 'server killed';
/** The number of cards of each fault in the deck. */
const DECK: Record<Fault, number> = {
  'publisher killed': PROVE ? 4 : 1,
  'subscriber killed': PROVE ? 4 : 1,
  'publisher stalled': PROVE ? 3 : 1,
  'subscriber stalled': PROVE ? 3 : 1,
  'server killed': 1,
};
const GROUPS = [{ group: 'audit' }, { group: 'billing' }, { group: 'flaky', failing: 0.05 }];

const STEPS = ['a', 'b', 'c', 'd', 'e'];
const declared = (name: string) => [{ name: `order.${name}`, description: 'it was done', schema: { type: 'object' } }];
const CHAIN = workTemplate(
  Object.fromEntries(
    STEPS.map((name, i) => [
      name,
      {
        dependencies: STEPS.slice(Math.max(0, i - 1), i),
        retry: { max_attempts: 50, backoff: 'none' },
        publishes_events: declared(name),
      },
    ]),
  ),
);

/** Ignores a lost connection. The database shows what was committed. */
async function create(tasker: Tasker): Promise<number> {
  try {
    return (await tasker.createTasks(Array.from({ length: AT_ONCE }, () => DEMO))).length;
  } catch (error) {
    if (!isConnectionError(error)) throw error;
    return 0;
  }
}

/** Acts like a process supervisor: restarts a process that exited at startup because the server was down. */
async function startedAgain(start: () => Promise<WorkerProcess>): Promise<WorkerProcess> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === 10) throw error;
    }
  }
}

itOnce(
  `each group gets every committed event in order, and no other event, while processes and the server are killed or stopped (SEED=${SEED})`,
  { timeout: PROVE ? 3_600_000 : 240_000 },
  async () => {
    const server = await startServer();
    const { url: databaseUrl, sql } = server;
    const tasker = await createTasker({ databaseUrl, templates: CHAIN, worker: false, logger: silentLogger });
    onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
    const [work, events] = [openJournal(), openJournal()];
    const startPublisher = () =>
      startWorker({ databaseUrl, journal: work, leaseMs: LEASE_MS, pollMs: 200, poolSize: 6, retries: 300 });
    const startSubscriber = () =>
      startWorker({
        databaseUrl,
        journal: events,
        program: 'event-worker.mjs',
        leaseMs: LEASE_MS,
        retries: 300,
        groups: GROUPS,
      });
    const starts: (() => Promise<WorkerProcess>)[] = [
      ...new Array(PROCESSES).fill(startPublisher),
      ...new Array(PROCESSES).fill(startSubscriber),
    ];
    const processes: WorkerProcess[] = await Promise.all(starts.map((start) => start()));

    const waiting = async () => {
      const [row] = await sql<{ open: number; behind: number }>(`
        select (select count(*) from tasker.task where done_at is null)::int open,
               (select count(*) from tasker.event_cursor c join tasker.event_chunk k on k.part = c.part and k.chunk >= c.chunk)::int
               + (select count(*) from tasker.event_retry)::int
               + (select count(*) from tasker.domain_event e, tasker.event_head h where e.id > h.last_id)::int behind`);
      return row!;
    };

    const random = seeded(SEED);
    const done = Object.fromEntries(Object.keys(DECK).map((fault) => [fault, 0])) as Record<Fault, number>;
    let cameBack = 0;
    // Affected processes return while others continue. Until then, no other fault hits them.
    const back: Promise<void>[] = [];
    const away = new Set<number>();
    const startFault = (i: number, fault: (i: number) => Promise<void>) => {
      away.add(i);
      back.push(fault(i).finally(() => away.delete(i)));
    };
    const kill = async (i: number) => {
      await processes[i]!.end('SIGKILL');
      processes[i] = await startedAgain(starts[i]!);
    };
    const stall = async (i: number) => {
      const process = processes[i]!;
      process.signal('SIGSTOP');
      await sleep(LEASE_MS * (1.3 + random()));
      process.signal('SIGCONT');
      if (process.code === undefined) cameBack++;
    };
    /** Picks one of the publishers, which come first, or one of the subscribers. */
    const oneOf = async (fault: Fault) => {
      const all = Array.from(processes.keys()).filter((i) => i < PROCESSES === fault.startsWith('publisher'));
      const here = await until(
        () => all.filter((i) => !away.has(i)),
        (some) => some.length > 0,
      );
      return here[Math.floor(random() * here.length)]!;
    };
    let deck: Fault[] = [];
    const draw = (): Fault => {
      if (deck.length === 0)
        deck = Object.entries(DECK).flatMap(([fault, times]) => new Array<Fault>(times).fill(fault as Fault));
      return deck.splice(Math.floor(random() * deck.length), 1)[0]!;
    };
    for (let created = 0; created < TASKS; ) {
      if (!PROVE || (await waiting()).open < 5 * AT_ONCE) created += await create(tasker);
      await sleep(APART_MS * random() * 2);
      const fault = draw();
      done[fault]++;
      if (fault === 'server killed') await server.kill();
      else startFault(await oneOf(fault), fault.endsWith('killed') ? kill : stall);
    }
    await Promise.all(back);
    await until(waiting, ({ open, behind }) => open === 0 && behind === 0, PROVE ? 600_000 : 60_000);
    expect(await Promise.all(processes.map((one) => one.stop()))).toEqual(processes.map(() => 0));

    const committed = await sql<{ task: string; step: string; run: string }>(`
      select s.task_uuid task, m.name step, s.result->>'run' run
        from tasker.step s join tasker.task t using (task_uuid)
        join tasker.template_step m on m.template_id = t.template_id and m.idx = s.idx
       where s.state = 'complete'`);
    const notes = events.read() as unknown as EventNote[];
    const { faults, handled } = faultsOf(notes, { committed, groups: GROUPS.map(({ group }) => group), steps: STEPS });
    console.log(
      `SEED=${SEED}: ${committed.length} events, ${JSON.stringify(done)}, ${cameBack} came back, handled: ${JSON.stringify(handled)}`,
    );
    expect(faults.slice(0, 10)).toEqual([]);
    expect(committed.length).toBeGreaterThanOrEqual(TASKS * STEPS.length);
    expect(Object.values(done)).not.toContain(0);
    expect(cameBack).toBeGreaterThan(0);
    expect(await sql('select * from tasker.event_dead')).toEqual([]);
    expect(server.log()).not.toContain('deadlock detected');
  },
);
