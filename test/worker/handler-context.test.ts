import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandler, StepHandlerResult } from '../../src/handlers/step-handler.ts';

import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const THRICE = { retry: { max_attempts: 3, backoff: 'none' } };

/** A handler that is called with the context itself, as class handlers are. */
const withContext = (name: string, call: (context: StepContext) => unknown) =>
  class extends StepHandler {
    static override readonly handlerName = name;
    override call(context: StepContext) {
      return call(context) as StepHandlerResult;
    }
  };

it('the context has the task, the step, the configuration and the earlier results', async () => {
  const seen: Record<string, unknown> = {};
  const look = withContext('look', (context) => {
    Object.assign(seen, {
      taskUuid: context.taskUuid,
      stepUuid: context.stepUuid,
      correlationId: context.correlationId,
      handler: context.handlerName,
      input: [
        context.inputData,
        context.getInput('order_id'),
        context.getInput('absent'),
        context.getInputOr('absent', 7),
      ],
      config: [context.stepConfig, context.stepInputs, context.getConfig('currency')],
      keys: context.getDependencyResultKeys(),
      parent: context.getDependencyResult('parent'),
      grandparent: context.getDependencyField('grandparent', 'deep', 'value'),
      absent: [context.getDependencyResult('sibling'), context.getDependencyResult('nobody')],
      envelope: context.dependencyResults.parent?.result,
      throughEnvelope: context.dependencyResults.parent?.valid,
    });
    return {};
  });
  const steps = {
    grandparent: [],
    sibling: [],
    parent: ['grandparent'],
    look: { dependencies: ['parent'], handler: { callable: 'look', initialization: { currency: 'EUR' } } },
  };
  const { tasker, demo } = await shared.setup(steps, {
    handlers: [
      defineHandler('grandparent', {}, () => ({ deep: { value: 42 } })),
      defineHandler('sibling', {}, () => ({})),
      defineHandler('parent', {}, () => ({ valid: true })),
      look,
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...demo, context: { order_id: 'O-7' } });
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  expect(seen).toEqual({
    taskUuid,
    stepUuid: (await tasker.getStep(taskUuid, 'look')).stepUuid,
    correlationId: taskUuid,
    handler: 'look',
    input: [{ order_id: 'O-7' }, 'O-7', undefined, 7],
    config: [{ currency: 'EUR' }, { currency: 'EUR' }, 'EUR'],
    keys: ['grandparent', 'parent'],
    parent: { valid: true },
    grandparent: 42,
    absent: [null, null],
    envelope: { valid: true },
    throughEnvelope: true,
  });
});

it('each attempt has its number, and the original input and configuration even if an earlier attempt changed them', async () => {
  const seen: unknown[] = [];
  const spoil = withContext('a', (context) => {
    seen.push([context.retryCount, context.isRetry(), context.isLastRetry(), context.maxRetries]);
    seen.push([structuredClone(context.inputData), structuredClone(context.stepConfig)]);
    (context.inputData.list as number[]).push(context.attempt);
    (context.stepConfig.list as number[]).push(context.attempt);
    return StepHandlerResult.failure({ message: `no ${context.attempt}`, metadata: { attempt: context.attempt } });
  });
  const { tasker, demo } = await shared.setup(
    { a: { ...THRICE, handler: { callable: 'a', initialization: { list: [0] } } } },
    { handlers: [spoil] },
  );
  const { taskUuid } = await tasker.createTask({ ...demo, context: { list: [] } });
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const fresh = [{ list: [] }, { list: [0] }];
  expect(seen).toEqual([[0, false, false, 3], fresh, [1, true, false, 3], fresh, [2, true, true, 3], fresh]);
  expect((await tasker.getHistory(taskUuid)).map(({ attempt, why, metadata }) => [attempt, why, metadata])).toEqual(
    [1, 2, 3].map((attempt) => [attempt, `no ${attempt}`, { attempt }]),
  );
});

it('changes that a handler makes to the result of a parent do not reach its siblings', async () => {
  const spoil = (name: string) =>
    withContext(name, (context) => {
      const list = context.getDependencyResult<{ list: number[] }>('a')!.list;
      list.push(1);
      return { length: list.length };
    });
  const { tasker, demo } = await shared.setup(
    { a: [], b: ['a'], c: ['a'], d: ['a', 'b', 'c'] },
    { handlers: [defineHandler('a', {}, () => ({ list: [] })), spoil('b'), spoil('c'), spoil('d')] },
  );
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const results = (await tasker.getSteps(taskUuid)).map((step) => step.results?.result);
  expect(results).toEqual([{ list: [] }, { length: 1 }, { length: 1 }, { length: 1 }]);
});

it('all details of a failed attempt are stored with its step', async () => {
  const fail = withContext('a', () => {
    throw Object.assign(new Error('bank is closed'), { errorType: 'bank_error', errorCode: 'B7', statusCode: 503 });
  });
  const { tasker, demo } = await shared.setup({ a: { retry: { max_attempts: 1 } } }, { handlers: [fail], name: 'w' });
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const step = await tasker.getStep(taskUuid, 'a');
  expect(step.results).toMatchObject({
    step_uuid: step.stepUuid,
    success: false,
    status: 'failed',
    error: { message: 'bank is closed', error_type: 'bank_error', retryable: true, status_code: 503, context: {} },
    metadata: {
      error_code: 'B7',
      error_type: 'bank_error',
      retryable: true,
      handler_version: '1.0.0',
      worker_id: 'w',
      worker_hostname: expect.any(String),
      execution_time_ms: expect.any(Number),
    },
    orchestration_metadata: { headers: {}, error_context: null, backoff_hint: null, custom: {} },
  });
  expect(step.results!.error!.backtrace[0]).toContain('handler-context.test');
  expect(step).toMatchObject({
    lastFailureAt: expect.any(String),
    completedAt: null,
    retryEligible: false,
    worker: 'w',
  });
});

it('the event of a step has the creation time of its task with six decimals and without a time zone', async () => {
  let seen = '';
  const look = withContext('look', (context) => {
    seen = context.event.task.createdAt;
    return {};
  });
  const { tasker, demo } = await shared.setup({ look: [] }, { handlers: [look] });
  const { taskUuid } = await tasker.createTask(demo);
  const { createdAt } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  expect(seen).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}000$/);
  expect(Math.abs(Date.parse(`${seen.replace(' ', 'T')}Z`) - Date.parse(createdAt))).toBeLessThanOrEqual(1);
});
