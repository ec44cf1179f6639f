import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { DEMO, setup, states, template } from '../support/setup.ts';

/** Handlers that note their calls, by name. */
function noting(names: readonly string[], calls: string[], also: Record<string, (...args: never[]) => unknown> = {}) {
  return names.map((name) =>
    defineHandler(name, {}, (args) => {
      calls.push(name);
      return (also[name] as ((given: typeof args) => unknown) | undefined)?.(args) ?? { from: name };
    }),
  );
}

const TRIP = {
  flight: { undo: { handler: 'cancel_flight' } },
  hotel: { dependencies: ['flight'], undo: { handler: 'cancel_hotel' } },
  car: { dependencies: ['flight'], undo: { handler: 'cancel_car' } },
  mail: ['hotel', 'car'],
};

it('a complete task is undone in the reverse order, in parallel where it was parallel', async () => {
  const calls: string[] = [];
  const names = ['flight', 'hotel', 'car', 'mail', 'cancel_flight', 'cancel_hotel', 'cancel_car'];
  const { tasker } = await setup({ templates: template(TRIP), handlers: noting(names, calls) });
  const { taskUuid } = await tasker.createTask(DEMO);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  calls.length = 0;
  const undo = await tasker.undoTask(taskUuid, { actor: 'ana', reason: 'the customer cancelled' });
  expect(undo).toMatchObject({ statusBefore: 'complete', status: 'undoing' });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(calls.slice(0, 2).sort()).toEqual(['cancel_car', 'cancel_hotel']);
  expect(calls[2]).toBe('cancel_flight');
  expect(calls).toHaveLength(3);
  expect(await states(tasker, taskUuid)).toMatchObject({
    flight: 'complete',
    'undo:flight': 'complete',
    mail: 'complete',
  });
});
