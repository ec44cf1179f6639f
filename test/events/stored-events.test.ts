import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { DEMO, setup, template } from '../support/setup.ts';

const event = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  description: 'it happened',
  schema: { type: 'object' },
  ...more,
});

const AMOUNT = { type: 'object', required: ['amount'], properties: { amount: { type: 'number', minimum: 1 } } };

/** Runs a task with a single step `a` that declares these events, until it rests. */
async function run(events: object[], result: () => unknown, more: Record<string, unknown> = {}) {
  const a = defineHandler('a', {}, () => result() as Record<string, unknown>);
  const steps = { a: { publishes_events: events, ...more } };
  const { tasker, sql } = await setup({
    templates: template(steps),
    handlers: [a],
    name: 'the worker',
    logger: silentLogger,
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  const task = await tasker.waitForTask(taskUuid);
  const rows = await sql(
    `select event_id, name, version, task_uuid, idx, attempt, publisher, payload, metadata, execution from tasker.domain_event order by id`,
  );
  const [step] = await tasker.getSteps(taskUuid);
  return { task, taskUuid, step: step!, rows, sql };
}

describe('events that are stored with the result', () => {
  it('have the result as payload, and store only unusual details of the execution', async () => {
    const { rows, taskUuid, task } = await run([event('order.charged')], () =>
      StepHandlerResult.success({ amount: 12.5 }, { region: 'eu' }),
    );
    expect(task.status).toBe('complete');
    expect(rows).toEqual([
      {
        event_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
        name: 'order.charged',
        version: '1.0',
        task_uuid: taskUuid,
        idx: 0,
        attempt: 1,
        publisher: 'default',
        payload: { amount: 12.5 },
        metadata: null,
        execution: { worker_id: 'the worker', execution_time_ms: expect.any(Number), custom: { region: 'eu' } },
      },
    ]);
  });

  it('have an empty payload, the error and a final flag after a failure', async () => {
    const failing = () => {
      throw new PermanentError('card refused');
    };
    const { rows } = await run([event('order.refused', { condition: 'permanent_failure' })], failing);
    expect(rows).toMatchObject([
      {
        name: 'order.refused',
        payload: {},
        metadata: { final: true },
        execution: { result: {}, error: { message: 'card refused', retryable: false } },
      },
    ]);
  });

  it('are not stored in mode fast, unlike in mode broadcast', async () => {
    const { rows } = await run(
      [event('a.fast', { delivery_mode: 'fast' }), event('a.both', { delivery_mode: 'broadcast' })],
      () => ({}),
    );
    expect(rows.map((row) => row['name'])).toEqual(['a.both']);
  });

  it('are dropped and reported with the completed step if their payload violates the schema', async () => {
    const { rows, step, task } = await run([event('order.charged', { schema: AMOUNT }), event('order.seen')], () => ({
      amount: 0,
    }));
    expect(task.status).toBe('complete');
    expect(rows.map((row) => row['name'])).toEqual(['order.seen']);
    expect(step.eventProblems).toEqual([
      {
        event: 'order.charged',
        kind: 'invalid',
        path: '/amount',
        message: "the payload does not match the event's schema: /amount must be >= 1",
      },
    ]);
  });

  it('with on_invalid: fail_step and an invalid payload fail the step permanently', async () => {
    const { rows, step, task } = await run(
      [
        event('order.charged', { schema: AMOUNT, on_invalid: 'fail_step' }),
        event('order.done'),
        event('order.ended', { condition: 'always' }),
        event('order.refused', { condition: 'permanent_failure', schema: AMOUNT, on_invalid: 'fail_step' }),
      ],
      () => ({ amount: 0 }),
    );
    expect(task.status).toBe('blocked_by_failures');
    expect(step.attempts).toBe(1);
    expect(step.results!.error).toMatchObject({
      error_type: 'event_invalid',
      retryable: false,
      message: "step a: event order.charged: the payload does not match the event's schema: /amount must be >= 1",
    });
    expect(rows).toMatchObject([{ name: 'order.ended', payload: {}, metadata: { final: true } }]);
    expect(step.eventProblems.map((problem) => problem.event)).toEqual(['order.refused', 'order.charged']);
  });
});
