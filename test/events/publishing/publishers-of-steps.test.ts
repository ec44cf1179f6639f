import { describe, expect, it, onTestFinished } from 'vitest';
import { BasePublisher } from '../../../src/events/publishing/base-publisher.ts';
import { PublisherRegistry } from '../../../src/events/publishing/publisher-registry.ts';
import type { StepEventContext } from '../../../src/events/publishing/step-event-context.ts';
import type { DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { deferred, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { leastOf } from '../../support/suite/measure.ts';

type Fields = Record<string, unknown>;

const shared = sharedDatabase();

const event = (name: string, more: Fields = {}) => ({ name, description: 'it happened', schema: {}, ...more });

/** Runs a task with a single step `a` and these publishers. */
async function run(publishers: BasePublisher[], events: object[], { result = { amount: 12 } as Fields } = {}) {
  const made = await start(publishers, events, result);
  const { tasker, demo } = made;
  const { taskUuid } = await tasker.createTask(demo);
  const task = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  return { ...made, taskUuid, status: task.status, ...(await seen(tasker, taskUuid)) };
}

async function start(publishers: BasePublisher[], events: object[], result: Fields = { amount: 12 }) {
  const registry = new PublisherRegistry();
  for (const publisher of publishers) registry.register(publisher);
  const a = defineHandler('a', {}, () => result);
  const made = await shared.setup({ a: { publishes_events: events } }, { handlers: [a], publishers: registry });
  return { ...made, registry };
}

async function seen(tasker: Awaited<ReturnType<typeof start>>['tasker'], taskUuid: string) {
  const [step] = await tasker.getSteps(taskUuid);
  const rows = await shared.sql<{
    event_id: string;
    name: string;
    publisher: string;
    payload: Fields;
    metadata: Fields | null;
  }>(`select event_id, name, publisher, payload, metadata from tasker.domain_event where task_uuid = $1 order by id`, [
    taskUuid,
  ]);
  return { step: step!, rows };
}

/** Records the calls in order. */
class Recording extends BasePublisher {
  override readonly publisherName: string = 'recording';
  readonly calls: string[] = [];
  readonly errors: Error[] = [];
  after: DomainEvent | undefined;
  stored: unknown;

  override publishesFor() {
    return ['a'];
  }

  override shouldPublish(_ctx: StepEventContext): boolean | Promise<boolean> {
    this.calls.push('should');
    return true;
  }

  override transformPayload(ctx: StepEventContext): object | Promise<object> {
    this.calls.push('transform');
    return { twice: (ctx.result['amount'] as number) * 2 };
  }

  override additionalMetadata(ctx: StepEventContext): object | Promise<object> {
    this.calls.push('metadata');
    return { of: ctx.stepName, taskUuid: 'mine' };
  }

  override beforePublish(_ctx: StepEventContext): boolean | undefined | Promise<boolean | undefined> {
    this.calls.push('before');
    return undefined;
  }

  override async afterPublish(ctx: StepEventContext, after: DomainEvent): Promise<void> {
    this.calls.push('after');
    [this.stored] = await shared.sql(
      `select state::text, event_id from tasker.step join tasker.domain_event using (task_uuid, idx)
      where task_uuid = $1`,
      [ctx.taskUuid],
    );
    this.after = after;
  }

  override onPublishError(_ctx: StepEventContext, error: Error): void {
    this.calls.push('error');
    this.errors.push(error);
  }
}

class Waiting extends Recording {
  override async shouldPublish(ctx: StepEventContext) {
    await Promise.resolve();
    return super.shouldPublish(ctx);
  }

  override async transformPayload(ctx: StepEventContext) {
    await Promise.resolve();
    return super.transformPayload(ctx);
  }
}

describe('publishers', () => {
  it.each([
    ['synchronous', () => new Recording()],
    ['asynchronous', () => new Waiting()],
  ])('call %s hooks in order, and afterPublish after the commit', async (_, make) => {
    const publisher = make();
    const { rows, taskUuid, step } = await run([publisher], [event('order.charged')]);
    expect(rows).toMatchObject([
      { name: 'order.charged', publisher: 'recording', payload: { twice: 24 }, metadata: { of: 'a' } },
    ]);
    expect(rows[0]!.metadata).toEqual({ of: 'a' });
    const after = await until(
      () => publisher.after,
      (it) => it !== undefined,
    );
    expect(publisher.calls).toEqual(['should', 'transform', 'metadata', 'before', 'after']);
    expect(publisher.stored).toEqual({ state: 'complete', event_id: rows[0]!.event_id });
    expect(after).toMatchObject({
      eventId: rows[0]!.event_id,
      eventName: 'order.charged',
      payload: { twice: 24 },
      metadata: { of: 'a', taskUuid, stepUuid: step.stepUuid, stepName: 'a', publisher: 'recording' },
      executionResult: { success: true, result: { amount: 12 } },
    });
  });

  it('for the other SDK receive the same metadata after the commit as before it, plus the time of the event', async () => {
    const [before, after] = [deferred<Fields>(), deferred<Fields>()];
    class Positional extends BasePublisher {
      override readonly publisherName = 'positional';
      override beforePublish(_eventName: string, _payload: Fields, metadata: Fields) {
        before.resolve(metadata);
      }
      override afterPublish(_eventName: string, _payload: Fields, metadata: Fields) {
        after.resolve(metadata);
      }
    }
    await run([new Positional()], [event('order.charged', { publisher: 'positional' })]);
    const { publishedAt, ...ids } = await before.promise;
    expect(ids).toMatchObject({ stepName: 'a', publisher: 'positional' });
    const committed = await after.promise;
    expect(committed).toMatchObject(ids);
    expect(typeof publishedAt).toBe('string');
    expect(committed.publishedAt).toBe(committed.firedAt);
  });

  it('are chosen by the name in the template, then by step; otherwise the default publisher is used', async () => {
    class Named extends BasePublisher {
      override readonly publisherName = 'named';
      override transformPayload() {
        return { by: 'name' };
      }
    }
    const { rows } = await run(
      [new Recording(), new Named()],
      [event('by.name', { publisher: 'named' }), event('by.step'), event('by.nobody', { publisher: 'default' })],
    );
    expect(rows).toMatchObject([
      { name: 'by.name', publisher: 'named', payload: { by: 'name' } },
      { name: 'by.step', publisher: 'recording', payload: { twice: 24 } },
      { name: 'by.nobody', publisher: 'default', payload: { amount: 12 } },
    ]);
  });

  it('that are no longer registered fail the event, but not the result', async () => {
    class Leaving extends Recording {
      override readonly publisherName = 'leaving';
    }
    const events = [event('by.nobody', { publisher: 'leaving' }), event('by.all', { publisher: 'default' })];
    const { tasker, demo, registry } = await start([new Leaving()], events);
    registry.unregister('leaving');
    const { taskUuid } = await tasker.createTask(demo);
    const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
    const { rows, step } = await seen(tasker, taskUuid);
    expect(status).toBe('complete');
    expect(rows.map(({ name }) => name)).toEqual(['by.all']);
    expect(step.eventProblems).toMatchObject([{ event: 'by.nobody', kind: 'failed', path: null }]);
  });

  it.each(['shouldPublish', 'beforePublish'] as const)('can skip an event with %s without a failure', async (hook) => {
    const publisher = new Recording();
    Object.defineProperty(publisher, hook, { value: () => false });
    const { rows, step } = await run([publisher], [event('order.charged')]);
    expect(rows).toEqual([]);
    expect(step.eventProblems).toEqual([]);
    expect(publisher.calls).not.toContain('error');
  });

  const circle: Fields = {};
  circle['self'] = circle;
  const no = () => {
    throw new Error('broken');
  };
  it.each([
    ['shouldPublish throws', { shouldPublish: no }, 'broken'],
    ['shouldPublish rejects', { shouldPublish: async () => no() }, 'broken'],
    ['transformPayload throws', { transformPayload: no }, 'broken'],
    ['transformPayload rejects with a value that is not an error', { transformPayload: () => Promise.reject(7) }, '7'],
    ['transformPayload returns a string', { transformPayload: () => 'text' }, 'transformPayload'],
    ['transformPayload returns null', { transformPayload: () => null }, 'transformPayload'],
    ['transformPayload returns a list', { transformPayload: () => [1] }, 'payload'],
    ['transformPayload returns a value that is a string as JSON', { transformPayload: () => new Date() }, 'payload'],
    [
      'transformPayload returns a value that is null as JSON',
      { transformPayload: () => ({ toJSON: () => null }) },
      'payload',
    ],
    [
      'additionalMetadata returns a value that is a string as JSON',
      { additionalMetadata: () => ({ toJSON: () => 'x' }) },
      'metadata',
    ],
    ['additionalMetadata returns a list', { additionalMetadata: () => [1] }, 'additionalMetadata returned a list'],
    [
      'transformPayload returns a value that JSON cannot represent',
      { transformPayload: () => ({ n: 1n }) },
      'payload.n',
    ],
    ['transformPayload returns a circular object', { transformPayload: () => circle }, 'circular'],
    [
      'transformPayload returns an object with a getter that throws',
      { transformPayload: () => Object.defineProperty({}, 'x', { enumerable: true, get: no }) },
      'payload.x',
    ],
    [
      'transformPayload returns a payload that violates the schema',
      { transformPayload: () => ({ amount: 'much' }) },
      '/amount',
    ],
    [
      'additionalMetadata returns a value that JSON cannot represent',
      { additionalMetadata: () => ({ at: Number.NaN }) },
      'metadata.at',
    ],
    ['beforePublish throws', { beforePublish: no }, 'broken'],
    ['onPublishError throws, too', { transformPayload: no, onPublishError: no }, 'broken'],
    [
      'the thrown value cannot be converted to a string',
      {
        transformPayload: () => {
          throw Object.create(null);
        },
      },
      '',
    ],
  ])('fail the event, but not the result, with a broken hook: %s', async (_, hooks: object, message) => {
    const publisher = new Recording();
    for (const [hook, value] of Object.entries(hooks)) Object.defineProperty(publisher, hook, { value });
    const schema = { properties: { amount: { type: 'number' } } };
    const { rows, step, status } = await run(
      [publisher],
      [event('order.charged', { schema }), event('order.seen', { publisher: 'default' })],
    );
    expect(status).toBe('complete');
    expect(step.results!.result).toEqual({ amount: 12 });
    expect(rows.map(({ name }) => name)).toEqual(['order.seen']);
    expect(step.eventProblems).toEqual([
      expect.objectContaining({ event: 'order.charged', message: expect.stringContaining(message) }),
    ]);
    if (!('onPublishError' in hooks)) expect(publisher.calls.filter((call) => call === 'error')).toHaveLength(1);
  });

  it('whose hooks never settle fail the event after five seconds, but not the result', async () => {
    let [calledAt, failedAt] = [0, 0];
    class Hanging extends Recording {
      override transformPayload() {
        calledAt = performance.now();
        return new Promise<object>(() => {});
      }
      override onPublishError(ctx: StepEventContext, error: Error) {
        failedAt = performance.now();
        super.onPublishError(ctx, error);
      }
    }
    let publisher!: Hanging;
    let ended!: Awaited<ReturnType<typeof run>>;
    const hooks = async () => {
      publisher = new Hanging();
      ended = await run([publisher], [event('order.charged')]);
      return failedAt - calledAt;
    };
    const took = await leastOf(8_000, hooks, 3);
    const { step, rows, status } = ended;
    // Timers use another clock and may fire slightly early.
    expect(took).toBeGreaterThan(4_990);
    expect(took).toBeLessThan(8_000);
    expect([status, step.results!.result, rows]).toEqual(['complete', { amount: 12 }, []]);
    expect(step.eventProblems).toEqual([
      { event: 'order.charged', kind: 'failed', message: 'the publisher hooks took longer than 5000 ms', path: null },
    ]);
    expect(publisher.calls).toEqual(['should', 'error']);
    expect(publisher.errors).toMatchObject([
      { code: 'timeout', message: 'the publisher hooks took longer than 5000 ms' },
    ]);
  });

  it('whose hooks are running when the worker loses the step publish nothing and receive the error', async () => {
    const [asked, answer] = [deferred(), deferred()];
    class Slow extends Recording {
      override async transformPayload() {
        asked.resolve();
        await answer.promise;
        return {};
      }
    }
    const publisher = new Slow();
    const { tasker, demo } = await start([publisher], [event('order.charged')]);
    const heard: string[] = [];
    onTestFinished(tasker.eventBus.subscribe((live) => heard.push(live.name)));
    const { taskUuid } = await tasker.createTask(demo);
    await asked.promise;
    await tasker.cancelTask(taskUuid);
    answer.resolve();
    await until(
      () => publisher.errors,
      (errors) => errors.length > 0,
    );
    expect(publisher.calls).toEqual(['should', 'metadata', 'before', 'error']);
    expect(publisher.errors).toMatchObject([{ code: 'step_taken_away' }]);
    expect((await seen(tasker, taskUuid)).rows).toEqual([]);
    expect(heard).toEqual([]);
  });

  it('fail the event, but not the result, if the database rejects the event', async () => {
    await shared.sql(
      `create function refuse() returns trigger language plpgsql as $$ begin raise 'no such event here'; end $$`,
    );
    await shared.sql(
      `create trigger refuse before insert on tasker.domain_event for each row when (new.name = 'order.refused') execute function refuse()`,
    );
    const publisher = new Recording();
    const { rows, step, status } = await run([publisher], [event('order.refused', { condition: 'always' })]);
    expect(status).toBe('complete');
    expect(step.results!.result).toEqual({ amount: 12 });
    expect(rows).toEqual([]);
    expect(step.eventProblems).toMatchObject([
      { event: 'order.refused', message: 'the event cannot be stored: no such event here' },
    ]);
    expect(publisher.calls).toEqual(['should', 'transform', 'metadata', 'before', 'error']);
  });
});
