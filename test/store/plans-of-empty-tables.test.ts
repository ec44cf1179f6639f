import { expect, it, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { opening } from '../../src/db/opening.ts';
import type { Db } from '../../src/db/statement.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { claimSteps } from '../../src/store/claim-steps.ts';
import { QUEUE_ORDER } from '../../src/store/planner.ts';
import { promoteRetries } from '../../src/store/queue.ts';
import { recordSteps, recordTimers, recordWaits } from '../../src/store/record-steps.ts';
import { endWaits } from '../../src/store/waits/end-waits.ts';
import { openWaits } from '../../src/store/waits/read.ts';
import { freshDatabase } from '../support/database.ts';
import { setup } from '../support/setup.ts';

const STEP = { taskUuid: '01a2213f-40bd-724e-8e90-6411b01f29a5', idx: 0, attempt: 1 };
const ENDED = { templateId: 1, rank: 0, durationMs: null, delayMs: 0, result: 'null', detail: 'null' };

it('statements find waits by their primary key even if the table was empty at its last vacuum', async () => {
  const plans = await plansOf(async (db) => {
    await openWaits(db, [STEP]);
    await endWaits(db, [{ ...STEP, by: 'elapsed' }]);
    await recordWaits(db, [{ ...STEP, ...ENDED, endedBy: 'elapsed' }]);
    await recordTimers(db, [STEP]);
  });
  expect(plans).toHaveLength(4);
  for (const plan of plans) {
    expect(plan).toMatch(/Scan using wait_pkey on wait/);
    expect(plan).not.toMatch(/wait_open|wait_due|wait_approvals/);
  }
});

it('claims and due retries look up each step by its key even if the tables were empty at their last vacuum', async () => {
  const claim = { limit: 10, token: 1, workerId: 1, excluded: [] };
  const plans = await plansOf(async (db) => {
    await claimSteps(db, { ...claim, namespaceIds: [1] });
    await claimSteps(db, { ...claim, namespaceIds: [1, 2] });
    await promoteRetries(db, [STEP.taskUuid]);
  });
  expect(plans).toHaveLength(3);
  for (const plan of plans) expectLookups(plan, 1);
});

it('recordings look up each step, task and batch by its key even if the tables were empty at their last vacuum', async () => {
  const own = { freeSlots: 1, token: 1, lastRank: 100 };
  const step = { ...STEP, ...ENDED, claim: 1, kind: 0 } as const;
  const events = { size: 0, text: () => '{"events":[]}' };
  const plans = await plansOf(async (db) => {
    for (const variant of ['static', 'dynamic', 'routed'] as const) {
      await recordSteps(db, [step], { ...own, variant });
      await recordSteps(db, [{ ...step, events }], { ...own, variant });
    }
    await recordWaits(db, [{ ...STEP, ...ENDED, endedBy: 'elapsed' }]);
    await recordTimers(db, [STEP]);
  });
  expect(plans).toHaveLength(8);
  for (const plan of plans) expectLookups(plan, 3);
});

/** Expects that each row of steps, tasks and batches is looked up by its key, in at least this number of places. */
function expectLookups(plan: string, atLeast: number): void {
  expect(plan).not.toMatch(/Seq Scan|Hash Join|Merge Join/);
  const scans = [...plan.matchAll(/Index Scan using \w+ on (?:step|task|batch)\b.*\n(.*)/g)].map(
    ([, condition]) => condition,
  );
  expect(scans.length).toBeGreaterThanOrEqual(atLeast);
  for (const condition of scans) expect(condition).toMatch(/Index Cond: .*task_uuid = /);
}

/** Returns the plans of the statements that a function runs, in a database that was vacuumed before its first task. */
async function plansOf(run: (db: Db) => Promise<void>): Promise<string[]> {
  const { url, sql } = await setup({ worker: false }, freshDatabase);
  await sql('vacuum analyze');
  const database = await Database.connect({ url, poolSize: 1, logger: silentLogger });
  onTestFinished(() => database.close());
  return database.transaction(opening(QUEUE_ORDER), async (tx) => {
    const found: string[] = [];
    const explaining = {
      query: async ({ name, text }: { name: string; text: string }, values: unknown[]) => {
        const types = TYPES[name] ?? ['uuid[]', 'int[]'];
        const literals = values.map((value) => (typeof value === 'number' ? value : `'${String(value)}'`));
        await tx.query({ name: `prepare_${name}`, text: `prepare the_${name}(${types.join(',')}) as ${text}` }, []);
        const explain = { name: `explain_${name}`, text: `explain execute the_${name}(${literals.join(',')})` };
        const { rows } = await tx.query<{ 'QUERY PLAN': string }>(explain, []);
        found.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
        return tx.query({ name, text }, values);
      },
    } as unknown as Db;
    await run(explaining);
    return found;
  });
}

const RECORDED = [
  ...['uuid[]', 'int[]', 'bigint[]', 'smallint[]', 'int[]', 'int[]', 'smallint[]', 'int[]', 'jsonb'],
  ...['int', 'bigint', 'int', 'jsonb'],
];
const CLAIMED = ['int', 'bigint', 'bigint', 'int[]', 'bigint[]'];

/** The types of the parameters of statements that take more than the keys of steps. */
const TYPES: Record<string, string[]> = {
  claim_steps: CLAIMED,
  claim_steps_of_several: CLAIMED,
  promote_retries: ['uuid[]'],
  end_waits: ['uuid[]', 'int[]', 'int[]', 'text[]'],
  record_waits: [...RECORDED, 'text[]'],
  record_steps: RECORDED,
  record_steps_dynamic: RECORDED,
  record_steps_events: [...RECORDED, 'jsonb'],
  record_steps_dynamic_events: [...RECORDED, 'jsonb'],
};
