import { expect, it } from 'vitest';
import { handWorker } from '../support/hand-worker.ts';
import { invariants } from '../support/setup.ts';

it('promoting a due retry leaves a later retry of the same task waiting', async () => {
  const { sql, engine, claim, ended, record, states } = await handWorker({ a: [], b: [] });
  expect(await claim()).toEqual(['a', 'b']);
  await record({ ...ended('a', 'retryable'), delayMs: 60_000 }, { ...ended('b', 'retryable'), delayMs: 120_000 });
  const pass = async (seconds: number) => {
    await sql(`update tasker.timer set due_at = due_at - $1 * interval '1 second'`, [seconds]);
    await sql(`update tasker.step set next_at = next_at - $1 * interval '1 second'`, [seconds]);
  };
  await pass(90);
  expect(await engine.promoteDue()).toBe(1);
  expect(await states()).toEqual({ a: 'enqueued', b: 'waiting_for_retry' });
  await invariants(sql);
  await pass(60);
  expect(await engine.promoteDue()).toBe(1);
  expect(await claim()).toEqual(['a', 'b']);
  await invariants(sql);
});
