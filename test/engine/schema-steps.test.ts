import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { DEMO, setup, template } from '../support/setup.ts';

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
