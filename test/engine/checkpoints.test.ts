import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { DEMO, deferred, invariants, RETRY_AT_ONCE, setup, template } from '../support/setup.ts';

type Body = (args: { context: StepContext }) => unknown;

async function run(body: Body, retry: Record<string, unknown> = RETRY_AT_ONCE) {
  const { tasker, sql, url, another } = await setup({
    templates: template({ a: { retry } }),
    handlers: [defineHandler('a', {}, body)],
  });
  await sql('create table written (id int)');
  const { taskUuid } = await tasker.createTask(DEMO);
  const end = async () => {
    const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 10_000 });
    await invariants(sql);
    return { status, step: await tasker.getStep(taskUuid, 'a') };
  };
  return { tasker, sql, url, another, taskUuid, end };
}

const yieldAt = (cursor: number, results: object) =>
  StepHandlerResult.success(
    { type: 'checkpoint_yield', cursor, items_processed: cursor, accumulated_results: results },
    { checkpoint_yield: true, batch_worker: true },
  );

describe('a checkpoint', () => {
  it('a handler that yields a checkpoint is called again with the checkpoint in the same attempt', async () => {
    const seen: unknown[] = [];
    const { end, sql } = await run(({ context }) => {
      const results = context.accumulatedResults ?? { total: 0 };
      seen.push([context.checkpointCursor, context.checkpointItemsProcessed, Number(results.total)]);
      const at = Number(context.checkpointCursor ?? 0);
      // Changes to the value that the context returns affect nothing else.
      results.total = Number(results.total) + 10;
      return at < 30 ? yieldAt(at + 10, results) : { total: results.total };
    });
    const { status, step } = await end();
    expect(status).toBe('complete');
    expect(step).toMatchObject({ attempts: 1, results: { result: { total: 40 } } });
    expect(seen).toEqual([
      [null, 0, 0],
      [10, 10, 10],
      [20, 20, 20],
      [30, 30, 30],
    ]);
    const [{ data }] = (await sql('select data from tasker.checkpoint')) as [{ data: string | object }];
    expect(typeof data === 'string' ? JSON.parse(data) : data).toEqual({
      cursor: 30,
      items_processed: 30,
      timestamp: expect.any(String),
      accumulated_results: { total: 30 },
      history: [10, 20, 30].map((cursor) => ({ cursor, timestamp: expect.any(String) })),
    });
  });

  it('a saved checkpoint is available immediately and in the next attempt', async () => {
    const seen: unknown[] = [];
    const { end } = await run(async ({ context }) => {
      seen.push([context.attempt, context.checkpointCursor]);
      if (context.attempt === 1) {
        await context.checkpoint({ cursor: { page: 'é\u{1F600}' }, itemsProcessed: 7 });
        seen.push([context.checkpoint.cursor, context.checkpoint.items_processed, context.hasCheckpoint()]);
        throw new Error('later');
      }
      return { resumed: JSON.parse(JSON.stringify(context.checkpoint)).cursor };
    });
    const { step } = await end();
    expect(step).toMatchObject({ attempts: 2, results: { result: { resumed: { page: 'é\u{1F600}' } } } });
    expect(seen).toEqual([
      [1, null],
      [{ page: 'é\u{1F600}' }, 7, true],
      [2, { page: 'é\u{1F600}' }],
    ]);
  });

  it('the history stays bounded regardless of the number of saved checkpoints', async () => {
    const { end, sql } = await run(async ({ context }) => {
      for (let i = 0; i < 60; i++) await context.checkpoint({ cursor: i });
    });
    await end();
    const [row] = await sql(
      "select jsonb_array_length(data -> 'history') n, data -> 'history' -> -1 -> 'cursor' last from tasker.checkpoint",
    );
    expect(row).toMatchObject({ n: 20 });
    expect(Number(row!.last)).toBe(59);
  });

  it.each([
    ['a bigint', { cursor: 7n }, /checkpoint cannot be stored: .*cursor/],
    ['a NUL', { cursor: 'a\0' }, /checkpoint cannot be stored/],
  ])(
    "a checkpoint that JSON can't represent fails the step permanently with an error that names the location: %s",
    async (_, progress, message) => {
      const { end } = await run(({ context }) => context.checkpoint(progress));
      const { status, step } = await end();
      expect(status).toBe('blocked_by_failures');
      expect(step.results!.error).toMatchObject({ error_type: 'checkpoint_error', retryable: false });
      expect(step.results!.error!.message).toMatch(message);
    },
  );

  it('checkpoints that are saved at the same time are stored in order', async () => {
    const { end, sql } = await run(async ({ context }) => {
      await Promise.all([1, 2, 3, 4, 5, 6].map((cursor) => context.checkpoint({ cursor })));
      return { cursor: context.checkpointCursor };
    });
    const { step } = await end();
    expect(step.results!.result).toEqual({ cursor: 6 });
    const [row] = await sql(
      `select data -> 'cursor' as cursor, jsonb_array_length(data -> 'history') n from tasker.checkpoint`,
    );
    expect({ ...row, cursor: Number(row!.cursor) }).toEqual({ cursor: 6, n: 6 });
  });

  it('a checkpoint of a step that was cancelled is rejected', async () => {
    const [started, refused] = [deferred(), deferred<unknown>()];
    const { tasker, taskUuid, sql } = await run(async ({ context }) => {
      const gone = new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      started.resolve();
      await gone;
      await context.checkpoint({ cursor: 1 }).catch(refused.resolve);
    });
    await started.promise;
    await tasker.cancelTask(taskUuid);
    expect(await refused.promise).toMatchObject({ errorType: 'checkpoint_error' });
    expect(await sql('select 1 from tasker.checkpoint')).toEqual([]);
  });
});

describe('a transaction of a handler', () => {
  it('the rows and the checkpoint of a transaction commit together', async () => {
    const cursors: unknown[] = [];
    const { end, sql } = await run(async ({ context }) => {
      for (let at = 0; at < 3; at++) {
        await context.transaction(async (tx, cursor) => {
          cursors.push(cursor);
          await tx.query('insert into written values ($1)', [at]);
          return at + 1;
        });
      }
      return { cursor: context.checkpointCursor };
    });
    const { step } = await end();
    expect(cursors).toEqual([null, 1, 2]);
    expect(step.results!.result).toEqual({ cursor: 3 });
    expect(await sql('select id from written order by id')).toEqual([{ id: 0 }, { id: 1 }, { id: 2 }]);
  });

  it('a transaction that throws writes nothing, and the next attempt continues after the last committed transaction', async () => {
    const { end, sql } = await run(async ({ context }) => {
      const insert = (id: number) =>
        context.transaction(async (tx, cursor) => {
          if (cursor !== null && Number(cursor) > id) return;
          await tx.query('insert into written values ($1)', [id]);
          if (id === 1 && context.attempt === 1) throw new Error('in the middle');
          return { cursor: id + 1, itemsProcessed: id + 1 };
        });
      for (const id of [0, 1, 2]) await insert(id);
      return { items: context.checkpointItemsProcessed };
    });
    const { step } = await end();
    expect(step).toMatchObject({ attempts: 2, results: { result: { items: 3 } } });
    expect(await sql('select id from written order by id')).toEqual([{ id: 0 }, { id: 1 }, { id: 2 }]);
  });

  it('a transaction in which a statement failed is not reported as committed', async () => {
    const { end, sql } = await run(
      async ({ context }) => {
        await context.transaction(async (tx) => {
          await tx.query('insert into written values (1)');
          await tx.query('select 1 / 0').catch(() => 'swallowed');
          return 1;
        });
      },
      { max_attempts: 1 },
    );
    const { status } = await end();
    expect(status).toBe('blocked_by_failures');
    expect(await sql('select 1 from written')).toEqual([]);
    expect(await sql('select 1 from tasker.checkpoint')).toEqual([]);
  });

  it('a transaction of a step that was cancelled writes nothing', async () => {
    const [started, refused] = [deferred(), deferred<unknown>()];
    const { tasker, taskUuid, sql } = await run(async ({ context }) => {
      const work = context.transaction(async (tx) => {
        await tx.query('insert into written values (1)');
        const gone = new Promise((resolve) => context.signal.addEventListener('abort', resolve));
        started.resolve();
        await gone;
        return 1;
      });
      await work.catch(refused.resolve);
    });
    await started.promise;
    await tasker.cancelTask(taskUuid);
    expect(await refused.promise).toMatchObject({ code: 'step_taken_away' });
    expect(await sql('select 1 from written')).toEqual([]);
  });

  const beside = {
    'a checkpoint': (context: StepContext) => context.checkpoint({ cursor: 7 }),
    'another transaction': (context: StepContext) => context.transaction(() => 7),
  };
  it.each(Object.entries(beside))(
    'a save outside of an open transaction is rejected because it would survive a rollback: %s',
    async (_, save) => {
      const { end, sql } = await run(async ({ context }) => {
        await context.transaction(async (tx) => {
          await tx.query('insert into written values (1)');
          await save(context);
          throw new Error('not reached');
        });
      });
      const { status, step } = await end();
      expect(status).toBe('blocked_by_failures');
      expect(step.results!.error).toMatchObject({ error_type: 'checkpoint_error', retryable: false });
      expect(step.results!.error!.message).toMatch(/^step a: a transaction of this step is open/);
      expect(await sql('select 1 from written')).toEqual([]);
      expect(await sql('select 1 from tasker.checkpoint')).toEqual([]);
    },
  );
});
