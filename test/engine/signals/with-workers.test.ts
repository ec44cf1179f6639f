import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { DEMO, invariants, setup, template, until } from '../../support/setup.ts';
import { approvalStep, signalStep } from '../../support/waits/waiting.ts';

it('a worker runs the steps after a signal or a vote immediately', async () => {
  const steps = {
    start: [],
    pay: signalStep('paid', {}, ['start']),
    ask: approvalStep({ quorum: 2 }, ['pay']),
    end: ['ask'],
  };
  const handlers = ['start', 'end'].map((name) => defineHandler(name, {}, () => ({})));
  const { tasker, sql } = await setup({ templates: template(steps), handlers });
  const { taskUuid } = await tasker.createTask(DEMO);
  const waits = (step: string) =>
    until(
      async () => (await tasker.getSteps(taskUuid)).find(({ name }) => name === step)?.currentState,
      (state) => state === 'waiting',
    );
  await waits('pay');
  expect((await tasker.signal(taskUuid, 'paid', { amount: 5 })).tasks[0]!.status).toBe('used');
  await waits('ask');
  await tasker.approvals.vote(taskUuid, 'ask', { by: 'ana', decision: 'approve' });
  const ended = tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  await tasker.approvals.vote(taskUuid, 'ask', { by: 'bob', decision: 'approve' });
  expect((await ended).status).toBe('complete');
  await invariants(sql);
});
