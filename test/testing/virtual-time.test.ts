import { afterEach, describe, expect, inject, it } from 'vitest';
import { RetryableError } from '../../src/index.ts';
import { type TestTasker, type TestTaskerOptions, testTasker } from '../../src/testing/index.ts';
import { DEMO, template } from '../support/setup.ts';

const kits: TestTasker[] = [];
afterEach(() => Promise.all(kits.splice(0).map((kit) => kit.stop())));

async function kitOf(options: TestTaskerOptions): Promise<TestTasker> {
  const kit = await testTasker({ databaseUrl: inject('servers')[inject('postgres')]!, ...options });
  kits.push(kit);
  return kit;
}

/** Returns a stub that fails the first `times` times. */
const failing = (times: number, calls: string[] = [], name = 'a') => {
  let left = times;
  return () => {
    calls.push(name);
    if (left-- > 0) throw new RetryableError('busy');
    return { name };
  };
};

describe('the time of a test kit', () => {
  it('makes retries due without waiting for them', async () => {
    const kit = await kitOf({
      templates: template({
        a: { retry: { backoff: 'linear', backoff_base_ms: 3_600_000, max_backoff_ms: 3_600_000 } },
      }),
      stubs: { a: failing(2) },
      keepBackoff: true,
    });
    const { taskUuid } = await kit.tasker.createTask(DEMO);
    await kit.advanceTime(0);
    expect((await kit.getRun(taskUuid)).task.status).toBe('waiting_for_retry');
    await kit.advanceTime('30 minutes');
    expect((await kit.getRun(taskUuid)).steps.a!.attempts).toBe(1);
    await kit.advanceTime('2h');
    const { task, steps, results } = await kit.getRun(taskUuid);
    expect([task.status, steps.a!.attempts, results.a]).toEqual(['complete', 3, { name: 'a' }]);
  });

  it.each([['soon'], [-1], [Number.NaN], ['-3 days'], [''], ['1 month']])('refuses %j', async (given) => {
    const kit = await kitOf({ templates: template({ a: [] }), stubs: { a: () => ({}) } });
    await expect(kit.advanceTime(given)).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(
        /^advanceTime: .* is not a duration; pass words such as '3 days', seconds as a number/,
      ),
    });
  });
});
