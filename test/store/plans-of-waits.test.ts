import { expect, it, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { opening } from '../../src/db/opening.ts';
import type { Db } from '../../src/db/statement.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { PINNED_PLANS } from '../../src/store/planner.ts';
import { recordTimers, recordWaits } from '../../src/store/record-steps.ts';
import { endWaits } from '../../src/store/waits/end-waits.ts';
import { openWaits } from '../../src/store/waits/read.ts';
import { setup } from '../support/setup.ts';

const STEP = { taskUuid: '01a2213f-40bd-724e-8e90-6411b01f29a5', idx: 0, attempt: 1 };
const ENDED = { templateId: 1, rank: 0, durationMs: null, delayMs: 0, result: 'null', detail: 'null' };

it('statements find waits by their primary key even if the table was empty at its last vacuum', async () => {
  const { url, sql } = await setup({ worker: false });
  await sql('vacuum analyze');
  const database = await Database.connect({ url, poolSize: 1, logger: silentLogger });
  onTestFinished(() => database.close());
  const plans = await database.transaction(opening(PINNED_PLANS), async (tx) => {
    const found: string[] = [];
    const explaining = {
      query: async ({ name, text }: { name: string; text: string }, values: unknown[]) => {
        const types = ['uuid[]', 'int[]'];
        if (name === 'end_waits') types.push('int[]', 'text[]');
        if (name === 'record_waits') types.push(...RECORD_TYPES);
        const literals = values.map((value) => (typeof value === 'number' ? value : `'${String(value)}'`));
        await tx.query({ name: `prepare_${name}`, text: `prepare the_${name}(${types.join(',')}) as ${text}` }, []);
        const explain = { name: `explain_${name}`, text: `explain execute the_${name}(${literals.join(',')})` };
        const { rows } = await tx.query<{ 'QUERY PLAN': string }>(explain, []);
        found.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
        return tx.query({ name, text }, values);
      },
    } as unknown as Db;
    await openWaits(explaining, [STEP]);
    await endWaits(explaining, [{ ...STEP, by: 'elapsed' }]);
    await recordWaits(explaining, [{ ...STEP, ...ENDED, endedBy: 'elapsed' }]);
    await recordTimers(explaining, [STEP]);
    return found;
  });
  expect(plans).toHaveLength(4);
  for (const plan of plans) {
    expect(plan).toMatch(/Scan using wait_pkey on wait/);
    expect(plan).not.toMatch(/wait_open|wait_due|wait_approvals/);
  }
});

const RECORD_TYPES = [
  ...['bigint[]', 'smallint[]', 'int[]', 'int[]', 'smallint[]', 'int[]', 'jsonb'],
  ...['int', 'bigint', 'int', 'jsonb', 'text[]'],
];
