import { describe, expect, it, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { Engine } from '../../src/engine/engine.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { type ClaimedStepRow, claimSteps } from '../../src/store/claim-steps.ts';
import { findRecorded } from '../../src/store/doubtful.ts';
import { KIND, type RecordedStep } from '../../src/store/record-steps.ts';
import type { Sql } from '../support/database.ts';
import { DEMO, invariants, setup, template } from '../support/setup.ts';

const NOTHING = { freeSlots: 0, token: 0, lastRank: -101 };

/** One task with the steps `a → b` and `a → c`, and a worker that the test drives by hand. */
async function byHand() {
  const { tasker, url, sql } = await setup({
    templates: template({ a: { retry: { max_attempts: 5, backoff: 'none' } }, b: ['a'], c: ['a'] }),
    worker: false,
  });
  const database = await Database.connect({ url, poolSize: 3, logger: silentLogger });
  onTestFinished(() => database.close());
  const engine = new Engine(database, silentLogger);
  await tasker.createTask(DEMO);
  const identity = {
    name: 'w',
    host: 'h',
    pid: 1,
    namespaces: ['test'],
    callables: [],
    concurrency: 9,
    leaseMs: 60_000,
  };
  let workerId = await engine.registerWorker(identity);
  const namespaceIds = await engine.namespaceIds(['test']);
  let claims = 0;
  const claim = async () => {
    const token = workerId * 2 ** 24 + ++claims;
    const { steps } = await claimSteps(database, { limit: 9, token, workerId, namespaceIds, excluded: [] });
    return { token, row: steps[0]! };
  };
  /** Declares the worker dead with the steps that it holds, and registers it under another id. */
  const lose = async () => {
    await sql(`update tasker.worker set lease_until = now() - interval '1 minute' where id = $1`, [workerId]);
    await engine.sweep(0);
    workerId = await engine.registerWorker(identity);
  };
  return { sql, database, engine, claim, lose };
}

function end(
  { row, token }: { row: ClaimedStepRow; token: number },
  result: string,
  more: Partial<RecordedStep> = {},
): RecordedStep & { attempt: number } {
  return {
    taskUuid: row.taskUuid,
    idx: row.idx,
    claim: token,
    attempt: row.attempts,
    kind: KIND.completed,
    delayMs: 0,
    templateId: row.templateId,
    rank: row.rank,
    durationMs: 1,
    result,
    detail: 'null',
    ...more,
  };
}

const children = (sql: Sql) => sql(`select idx, state::text, remaining from tasker.step where idx > 0 order by idx`);

describe('recording a batch', () => {
  it('a step that occurs twice in a batch is accepted and counted once', async () => {
    const { sql, engine, claim } = await byHand();
    const held = await claim();
    const answer = await engine.record([end(held, '{"n":1}'), end(held, '{"n":2}')], NOTHING);
    expect(answer.refused.length).toBe(1);
    expect(answer.queued).toBe(2);
    const accepted = answer.refused[0] === 0 ? 2 : 1;
    expect(await sql(`select result, attempts from tasker.step where idx = 0`)).toEqual([
      { result: { n: accepted }, attempts: 1 },
    ]);
    expect(await sql(`select attempt, outcome::text from tasker.history`)).toEqual([
      { attempt: 1, outcome: 'completed' },
    ]);
    expect(await children(sql)).toEqual([
      { idx: 1, state: 'enqueued', remaining: 0 },
      { idx: 2, state: 'enqueued', remaining: 0 },
    ]);
    await invariants(sql);
  });

  it('a batch that is sent again is rejected, and the history shows that the batch was recorded', async () => {
    const { sql, database, engine, claim } = await byHand();
    const batch = [end(await claim(), '{"n":1}')];
    expect((await engine.record(batch, NOTHING)).refused).toEqual([]);
    expect((await engine.record(batch, NOTHING)).refused).toEqual([0]);
    const [step] = await sql(`select tasker.iso(done_at) at from tasker.step where idx = 0`);
    expect(await findRecorded(database, batch)).toEqual(new Map([[0, step!.at]]));
    await invariants(sql);
  });

  it('a recording under another claim with the same attempt number is not mistaken for the lost recording', async () => {
    const { sql, database, engine, claim } = await byHand();
    const lost = await claim();
    // Simulates a crash of the server that undoes a claim that was not flushed.
    await sql(`update tasker.step set state = 'enqueued', attempts = 0, claim = null, started_at = null where idx = 0`);
    await sql(`insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
               select m.namespace_id, 0, t.task_uuid, 0, m.id from tasker.task t join tasker.template m on m.id = t.template_id`);
    const again = await claim();
    expect(again.row.attempts).toBe(lost.row.attempts);
    await engine.record([end(again, '{"run":"second"}')], NOTHING);
    expect((await engine.record([end(lost, '{"run":"first"}')], NOTHING)).refused).toEqual([0]);
    expect(await findRecorded(database, [end(lost, '{"run":"first"}')])).toEqual(new Map());
    expect([...(await findRecorded(database, [end(again, '{"run":"second"}')])).keys()]).toEqual([0]);
    await invariants(sql);
  });

  it.each([
    ['failed', { kind: KIND.permanent, result: 'null', detail: '{"error":{"message":"broken"}}' }],
    ['was released', { kind: KIND.released, result: 'null' }],
  ])('a step that %s is found in the history after the response was lost', async (_, more) => {
    const { database, engine, claim } = await byHand();
    const batch = [end(await claim(), '{}', more)];
    expect([...(await findRecorded(database, batch)).keys()]).toEqual([]);
    expect((await engine.record(batch, NOTHING)).refused).toEqual([]);
    expect([...(await findRecorded(database, batch)).keys()]).toEqual([0]);
    // Such an attempt is not found as completed.
    expect((await findRecorded(database, [{ ...batch[0]!, kind: KIND.completed }])).size).toBe(0);
  });

  it('a result under an expired claim is rejected while the step runs under the next claim, and changes nothing', async () => {
    const { sql, engine, claim, lose } = await byHand();
    const lost = await claim();
    await lose();
    const running = await claim();
    expect(running.row.attempts).toBe(lost.row.attempts + 1);
    const before = await sql('select * from tasker.step order by idx');
    expect(await engine.record([end(lost, '{"run":"first"}')], NOTHING)).toMatchObject({ refused: [0], queued: 0 });
    expect(await sql('select * from tasker.step order by idx')).toEqual(before);
    expect((await engine.record([end(running, '{"run":"second"}')], NOTHING)).refused).toEqual([]);
    expect(await sql('select result from tasker.step where idx = 0')).toEqual([{ result: { run: 'second' } }]);
    expect(await sql('select attempt, outcome::text from tasker.history order by attempt')).toEqual([
      { attempt: 1, outcome: 'worker_lost' },
      { attempt: 2, outcome: 'completed' },
    ]);
    await invariants(sql);
  });
});
