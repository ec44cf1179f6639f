import { describe, expect, it } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { completeLater, defineHandler, PermanentError, RateLimitError, RetryableError } from '../../src/index.ts';
import { handWorker, partsFor } from '../support/hand-worker.ts';
import { invariants, makeRetriesDue, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const WAIT = { timeoutMs: 20_000 };
const NOW = { backoff: 'none' };

/** Runs one task with the step `a`, whose attempt fails with the error for its number. It completes without an error. */
async function taskOf(retry: Record<string, unknown>, errors: readonly Error[]) {
  const seen: number[] = [];
  const a = defineHandler('a', {}, ({ context }) => {
    seen.push(context.attempt);
    const error = errors[seen.length - 1];
    if (error) throw error;
    return {};
  });
  const made = await shared.setup({ a: { retry } }, { handlers: [a] });
  const { taskUuid } = await made.tasker.createTask(made.demo);
  return { ...made, taskUuid, seen };
}

const limited = () => new RateLimitError('slow down');
const other = () => new RetryableError('odd', { errorType: 'odd' });
const ended = async (tasker: Tasker, taskUuid: string) => (await tasker.waitForTask(taskUuid, WAIT)).status;
const whyOf = async (tasker: Tasker, taskUuid: string) => (await tasker.why(taskUuid)).steps[0]!.why;

describe('the rules of a retry policy', () => {
  it('give a kind of failure more attempts than the others', async () => {
    const rules = [{ error: 'rate_limited', max_attempts: 5 }];
    const { tasker, taskUuid, seen } = await taskOf({ ...NOW, max_attempts: 2, rules }, [
      limited(),
      limited(),
      limited(),
      limited(),
    ]);
    expect([await ended(tasker, taskUuid), seen]).toEqual(['complete', [1, 2, 3, 4, 5]]);
    expect((await tasker.getStep(taskUuid, 'a')).maxAttempts).toBe(5);
    await invariants(shared.sql);
  });

  it('do not change the limit of failures that no rule names, which counts all attempts', async () => {
    const rules = [{ error: 'rate_limited', max_attempts: 5 }];
    const { tasker, taskUuid } = await taskOf({ ...NOW, max_attempts: 2, rules }, [
      limited(),
      limited(),
      other(),
      limited(),
    ]);
    expect(await ended(tasker, taskUuid)).toBe('blocked_by_failures');
    expect(await whyOf(tasker, taskUuid)).toBe(
      'failed permanently in attempt 3 (limit 2): odd; reset, resolve or complete it to continue',
    );
    expect((await tasker.getHistory(taskUuid)).map(({ toState }) => toState)).toEqual([
      'enqueued',
      'enqueued',
      'error',
    ]);
    await invariants(shared.sql);
  });

  it('end the retries of a kind of failure at once', async () => {
    const rules = [{ error: ['odd', 'other'], retryable: false }];
    const { tasker, taskUuid } = await taskOf({ ...NOW, rules }, [limited(), other(), other()]);
    expect(await ended(tasker, taskUuid)).toBe('blocked_by_failures');
    expect(await whyOf(tasker, taskUuid)).toBe(
      'failed permanently in attempt 2: odd (not retried, because of the rule for odd, other); reset, resolve or complete it to continue',
    );
    expect((await tasker.getStep(taskUuid, 'a')).results!.error).toMatchObject({ error_type: 'odd', retryable: false });
  });

  it('retry a failure that its handler reported as permanent, if the rule has retryable: true', async () => {
    const rules = [{ error: 'missing', retryable: true }];
    const missing = () => new PermanentError('not there yet', { errorType: 'missing' });
    const { tasker, taskUuid, seen } = await taskOf({ ...NOW, rules }, [missing(), missing()]);
    expect([await ended(tasker, taskUuid), seen]).toEqual(['complete', [1, 2, 3]]);
    expect((await tasker.getHistory(taskUuid))[0]!.error).toMatchObject({ retryable: true });
  });

  it('match the code of a failure too, and the first one that matches wins', async () => {
    const rules = [
      { error: 'R1', retryable: false },
      { error: 'rate_limited', max_attempts: 5 },
    ];
    const coded = () => new RateLimitError('blocked', { errorCode: 'R1' });
    const { tasker, taskUuid, seen } = await taskOf({ ...NOW, rules }, [limited(), coded(), limited()]);
    expect([await ended(tasker, taskUuid), seen]).toEqual(['blocked_by_failures', [1, 2]]);
  });

  it('set the delay before the retry', async () => {
    const rules = [{ error: 'rate_limited', backoff: 'linear', backoff_base_ms: 600_000, max_backoff_ms: 600_000 }];
    const { tasker, taskUuid } = await taskOf({ ...NOW, rules }, [other(), limited()]);
    const step = await until(
      () => tasker.getStep(taskUuid, 'a'),
      ({ currentState }) => currentState === 'waiting_for_retry',
    );
    const inMs = Date.parse(step.nextRetryAt!) - Date.now();
    expect(inMs).toBeGreaterThan(500_000);
    expect(await whyOf(tasker, taskUuid)).toMatch(/^attempt 2 of 3 failed \(slow down\); next attempt at /);
    await makeRetriesDue(shared.sql);
    expect(await ended(tasker, taskUuid)).toBe('complete');
  });

  it('publish the event of a permanent failure when they end the retries', async () => {
    const event = { name: 'a.ended', description: 'd', schema: {}, condition: 'permanent_failure' };
    const a = defineHandler('a', {}, () => {
      throw other();
    });
    const retry = { ...NOW, rules: [{ error: 'odd', retryable: false }] };
    const { tasker, demo } = await shared.setup({ a: { retry, publishes_events: [event] } }, { handlers: [a] });
    const { taskUuid } = await tasker.createTask(demo);
    await ended(tasker, taskUuid);
    expect((await tasker.events.list({ taskUuid })).map(({ name }) => name)).toEqual(['a.ended']);
  });
});

describe('the loss of a worker', () => {
  it.each([
    ['is final after the attempts of the other failures', {}, {}, 2, 'its attempts are used up'],
    [
      'is retried as often as its own rule says',
      { error: 'worker_lost', max_attempts: 4 },
      {},
      4,
      'its attempts are used up',
    ],
    [
      'is final at once if its rule has retryable: false',
      { error: 'worker_lost', retryable: false },
      {},
      1,
      'may have run',
    ],
    ['is final once the time for all attempts is over', {}, { for: '30m' }, 1, 'the time for its attempts is over'],
  ])('%s', async (_title, rule, more, attempts, message) => {
    const rules = [{ error: 'rate_limited', max_attempts: 5 }, ...('error' in rule ? [rule] : [])];
    const { tasker, sql, taskUuid, claim, die } = await handWorker({
      a: { retry: { max_attempts: 2, rules, ...more } },
    });
    for (let n = 1; n <= attempts; n++) {
      await claim();
      if ('for' in more) await sql(`update tasker.step set started_at = started_at - interval '1 hour'`);
      await die();
      const { currentState } = await tasker.getStep(taskUuid, 'a');
      expect(currentState).toBe(n < attempts ? 'enqueued' : 'error');
    }
    expect((await tasker.getHistory(taskUuid)).at(-1)!.error!.message).toContain(message);
    await invariants(sql);
  });

  it('ends a batch worker once the time for all attempts is over', async () => {
    const retry = { for: '30m' };
    const { sql, claim, die, record, completed, states } = await handWorker({
      list: { type: 'batchable' },
      part: {
        type: 'batch_worker',
        dependencies: ['list'],
        retry,
        batch_config: { parallelism: 2, cursor_field: 'id', worker_template: 'part', failure_strategy: 'fail_fast' },
      },
    });
    await claim();
    await record(completed('list', partsFor('part', 'p1')));
    await claim();
    await sql(`update tasker.step set started_at = started_at - interval '1 hour'`);
    await die();
    expect(await states()).toMatchObject({ part_p1: 'error' });
    await invariants(sql);
  });
});

describe('the time for all attempts of a step', () => {
  /** Fails the first attempts, as if the first one had started an hour ago. */
  async function anHourLater(retry: Record<string, unknown>, attempts: number) {
    const made = await taskOf(
      { backoff: 'linear', backoff_base_ms: 600_000, max_attempts: 9, ...retry },
      Array.from({ length: attempts }, other),
    );
    const waits = () =>
      until(
        () => made.tasker.getStep(made.taskUuid, 'a'),
        ({ currentState }) => currentState === 'waiting_for_retry' || currentState === 'error',
      );
    await waits();
    await shared.sql(`update tasker.history set started_at = started_at - interval '1 hour'`);
    return { ...made, waits };
  }

  it('allows no retry that would start later', async () => {
    const event = { name: 'a.ended', description: 'd', schema: {}, condition: 'permanent_failure' };
    const a = defineHandler('a', {}, () => {
      throw other();
    });
    const { tasker, demo } = await shared.setup(
      { a: { retry: { for: '30s', max_attempts: 9, backoff_base_ms: 60_000 }, publishes_events: [event] } },
      { handlers: [a] },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect(await ended(tasker, taskUuid)).toBe('blocked_by_failures');
    expect(await whyOf(tasker, taskUuid)).toBe(
      'failed permanently in attempt 1 of 9: odd (not retried, because the next attempt would start later than 30s after the first); reset, resolve or complete it to continue',
    );
    expect((await tasker.events.list({ taskUuid })).map(({ name }) => name)).toEqual(['a.ended']);
    await invariants(shared.sql);
  });

  it('counts from the start of the first attempt, and the rest of the attempts is not used', async () => {
    const { tasker, taskUuid, seen } = await anHourLater({ for: '50m' }, 3);
    expect(await whyOf(tasker, taskUuid)).toMatch(
      /; no retry starts later than 50m after the start of the first attempt$/,
    );
    await makeRetriesDue(shared.sql);
    expect([await ended(tasker, taskUuid), seen]).toEqual(['blocked_by_failures', [1, 2]]);
    await invariants(shared.sql);
  });

  it('starts again after a reset', async () => {
    const { tasker, taskUuid, seen, waits } = await anHourLater({ for: '50m' }, 3);
    await makeRetriesDue(shared.sql);
    await ended(tasker, taskUuid);
    await tasker.resetStep(taskUuid, 'a', { actor: 'ann', reason: 'again' });
    expect((await waits()).currentState).toBe('waiting_for_retry');
    await makeRetriesDue(shared.sql);
    expect([await ended(tasker, taskUuid), seen]).toEqual(['complete', [1, 2, 1, 2]]);
  });

  it('holds for failures that other systems report', async () => {
    let token = '';
    const a = defineHandler('a', {}, async ({ context }) => {
      token = await context.completionToken();
      return completeLater();
    });
    const retry = { for: '30s', max_attempts: 9, backoff_base_ms: 60_000 };
    const { tasker, demo } = await shared.setup({ a: { retry } }, { handlers: [a] });
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => tasker.getStep(taskUuid, 'a'),
      ({ currentState }) => currentState === 'waiting',
    );
    await tasker.failByToken(token, { message: 'no answer', errorType: 'odd' });
    expect(await ended(tasker, taskUuid)).toBe('blocked_by_failures');
  });
});
