import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { type Fate, startProxy } from '../support/crash/proxy.ts';
import { DEMO, invariants, RETRY_AT_ONCE, setup, template } from '../support/setup.ts';

const ROWS = 12;

/** Runs a step on a worker behind a proxy, which decides what happens to each message. */
async function behindProxy(decide: (sent: Buffer) => Fate, body: (context: StepContext) => unknown) {
  const { tasker, sql, url, another } = await setup({
    templates: template({ a: { retry: { ...RETRY_AT_ONCE, max_attempts: 50 } } }),
    worker: false,
  });
  await sql('create table written (id int)');
  const proxy = await startProxy(url);
  proxy.decide = decide;
  const handlers = [defineHandler('a', {}, ({ context }) => body(context))];
  await another({ databaseUrl: proxy.url, worker: true, handlers, logger: silentLogger });
  const { taskUuid } = await tasker.createTask(DEMO);
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  expect(status).toBe('complete');
  await invariants(sql);
  return { sql, proxy, step: await tasker.getStep(taskUuid, 'a') };
}

/** Applies a fate to every third commit of a handler's transaction. */
function everyThirdCommit(fate: Fate) {
  let [saved, commits] = [false, 0];
  return (sent: Buffer): Fate => {
    if (sent.includes('save_checkpoint')) saved = true;
    else if (saved && sent.includes('commit\0')) {
      saved = false;
      return ++commits % 3 === 0 ? fate : undefined;
    }
    return undefined;
  };
}

/** Writes one row per transaction until all are written. */
const writeNext = (context: StepContext) =>
  context.transaction(async (tx, cursor) => {
    const at = Number(cursor ?? 0);
    if (at === ROWS) return undefined;
    await tx.query('insert into written values ($1)', [at]);
    return at + 1;
  });

describe.each(['lost', 'answer_lost', 'cut'] as const)('handler transactions whose commits are lost: %s', (fate) => {
  it('every row is written once if the handler continues in the same attempt', async () => {
    const { sql, proxy } = await behindProxy(everyThirdCommit(fate), async (context) => {
      for (;;) {
        const next = await writeNext(context).catch(() => 'again');
        if (next === undefined) return;
      }
    });
    expect(proxy.counts[fate]).toBeGreaterThan(2);
    expect((await sql<{ id: number }>('select id from written order by id')).map(({ id }) => id)).toEqual(
      Array.from({ length: ROWS }, (_, i) => i),
    );
  });

  it('every row is written once if the handler starts again', async () => {
    const { sql, proxy } = await behindProxy(everyThirdCommit(fate), async (context) => {
      while ((await writeNext(context)) !== undefined);
    });
    expect(proxy.counts[fate]).toBeGreaterThan(2);
    expect((await sql<{ id: number }>('select id from written order by id')).map(({ id }) => id)).toEqual(
      Array.from({ length: ROWS }, (_, i) => i),
    );
  });
});

it('a handler learns that its transaction was committed even if the response was lost', async () => {
  const { step, proxy } = await behindProxy(everyThirdCommit('answer_lost'), async (context) => {
    while ((await writeNext(context)) !== undefined);
  });
  expect(proxy.counts.answer_lost).toBeGreaterThan(2);
  expect(step).toMatchObject({ attempts: 1 });
});

describe.each(['lost', 'cut'] as const)('a checkpoint whose connection was lost: %s', (fate) => {
  const everyThirdSave = () => {
    let saves = 0;
    return (sent: Buffer) => (sent.includes('save_checkpoint') && ++saves % 3 === 1 ? fate : undefined);
  };

  it('the checkpoint is saved on another connection without using up an attempt', async () => {
    const { step, proxy } = await behindProxy(everyThirdSave(), async (context) => {
      for (let cursor = 1; cursor <= ROWS; cursor++) await context.checkpoint({ cursor });
      return { cursor: context.checkpointCursor };
    });
    expect(proxy.counts[fate]).toBeGreaterThan(2);
    expect(step).toMatchObject({ attempts: 1, results: { result: { cursor: ROWS } } });
  });

  it('a yielded checkpoint is saved on another connection', async () => {
    const { step, proxy } = await behindProxy(everyThirdSave(), (context) => {
      const cursor = Number(context.checkpointCursor ?? 0);
      if (cursor === ROWS) return { cursor };
      return StepHandlerResult.success(
        { type: 'checkpoint_yield', cursor: cursor + 1, items_processed: cursor + 1 },
        { checkpoint_yield: true },
      );
    });
    expect(proxy.counts[fate]).toBeGreaterThan(2);
    expect(step.attempts).toBe(1);
  });
});
