import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { DEMO, setup, template } from '../support/setup.ts';
import { approvalStep, signalStep, waitingBench } from '../support/waits/waiting.ts';

const TOO_MANY = 'takes more than 40 million steps to check';

/** A schema of two kilobytes that tries 2^28 combinations for a number. */
function explosion(): Record<string, unknown> {
  const $defs: Record<string, unknown> = { level28: { type: 'string' } };
  for (let i = 0; i < 28; i++) {
    const $ref = `#/$defs/level${i + 1}`;
    $defs[`level${i}`] = { anyOf: [{ $ref }, { $ref }] };
  }
  return { type: 'object', properties: { n: { $ref: '#/$defs/level0' } }, $defs };
}

it('a context whose check would take hours is rejected, and others are accepted', async () => {
  const { tasker } = await setup({
    templates: [template({ first: [] }, { input_schema: explosion() })],
    worker: false,
  });
  await expect(tasker.createTask({ ...DEMO, context: { n: 1 } })).rejects.toMatchObject({
    code: 'invalid_context',
    message: expect.stringContaining(TOO_MANY),
  });
  await tasker.createTask({ ...DEMO, context: { n: 'text' } });
});

it('a result whose check would take hours fails its step permanently, with the reason', async () => {
  const first = defineHandler('first', {}, () => ({ n: 1 }));
  const { tasker } = await setup({
    templates: [template({ first: { result_schema: explosion() } })],
    handlers: [first],
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid, { timeoutMs: 40_000 });
  const { currentState, results } = await tasker.getStep(taskUuid, 'first');
  expect([currentState, results?.error?.retryable]).toEqual(['error', false]);
  expect(results?.error?.message).toContain(TOO_MANY);
});

it('a signal whose payload would take hours to check is refused, and the next one is accepted', async () => {
  const { tasker, create, work, resultOf } = await waitingBench({ ask: signalStep('go', { schema: explosion() }) });
  const early = await create();
  const taskUuid = await create();
  const refused = { code: 'signal_refused', message: expect.stringContaining(TOO_MANY) };
  await expect(tasker.signal(early, 'go', { n: 1 })).rejects.toMatchObject(refused);
  await work();
  await expect(tasker.signal(taskUuid, 'go', { n: 1 })).rejects.toMatchObject(refused);
  await tasker.signal(taskUuid, 'go', { n: 'text' });
  expect(await resultOf(taskUuid, 'ask')).toEqual({ n: 'text' });
});

it('a form whose check would take hours is refused, and the next one is accepted', async () => {
  const { tasker, create, work } = await waitingBench({ ask: approvalStep({ form: explosion() }) });
  const taskUuid = await create();
  await work();
  await expect(
    tasker.approvals.vote(taskUuid, 'ask', { by: 'ann', decision: 'approve', form: { n: 1 } }),
  ).rejects.toMatchObject({ code: 'bad_request', message: expect.stringContaining(TOO_MANY) });
  await tasker.approvals.vote(taskUuid, 'ask', { by: 'ann', decision: 'approve', form: { n: 'text' } });
  expect((await tasker.getTask(taskUuid)).status).toBe('complete');
});

it('an event whose payload would take hours to check is dropped with the reason, and its step completes', async () => {
  const first = defineHandler('first', {}, () => ({ n: 1 }));
  const event = { name: 'order.paid', description: 'paid', schema: explosion() };
  const { tasker, sql } = await setup({
    templates: [template({ first: { publishes_events: [event] } })],
    handlers: [first],
    logger: silentLogger,
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  expect(await tasker.waitForTask(taskUuid, { timeoutMs: 40_000 })).toMatchObject({ status: 'complete' });
  expect((await tasker.getStep(taskUuid, 'first')).eventProblems).toMatchObject([
    { event: 'order.paid', kind: 'invalid', message: expect.stringContaining(TOO_MANY) },
  ]);
  expect(await sql('select 1 from tasker.domain_event')).toEqual([]);
});
