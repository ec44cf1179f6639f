import { expect, it } from 'vitest';
import { defineHandler, NotFoundError, RateLimitError } from '../../src/index.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

it('each failed attempt keeps the type, code, status, metadata, frames and causes of the thrown error', async () => {
  const ship = defineHandler('ship', {}, ({ context }) => {
    if (context.retryCount > 0) throw new NotFoundError('no such parcel', { metadata: { parcel: 'P-1' } });
    const cause = new AggregateError([new Error('first socket'), new Error('second socket')], 'no socket');
    throw new RateLimitError('slow down', { retryAfter: 0, statusCode: 429, errorCode: 'R1', cause });
  });
  const { tasker, demo } = await shared.setup({ ship: [] }, { handlers: [ship] });
  const { taskUuid } = await tasker.createTask(demo);
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('blocked_by_failures');

  const [limited, missing] = await tasker.getHistory(taskUuid);
  expect(limited).toMatchObject({
    what: 'failed',
    toState: 'enqueued',
    errorCode: 'R1',
    error: { message: 'slow down', error_type: 'rate_limited', retryable: true, status_code: 429 },
  });
  expect(limited!.error!.backtrace[0]).toContain('thrown-errors.test');
  expect(limited!.error!.backtrace.filter((line) => !line.startsWith('at '))).toEqual([
    'caused by AggregateError: no socket',
    'one part: Error: first socket',
    'one part: Error: second socket',
  ]);
  expect(limited!.error!.backtrace.filter((line) => /node_modules|node:|[\\/]src[\\/]/.test(line))).toEqual([]);
  expect(missing).toMatchObject({
    what: 'failed',
    toState: 'error',
    metadata: { parcel: 'P-1' },
    error: { message: 'no such parcel', error_type: 'not_found', retryable: false, status_code: null },
  });
  expect((await tasker.getStep(taskUuid, 'ship')).attempts).toBe(2);
});

it('a failed fetch shows its cause in the step, in `why` and in the history', async () => {
  const call = defineHandler('call', {}, () => fetch('http://127.0.0.1:1/'));
  const { tasker, demo } = await shared.setup({ call: { retry: { max_attempts: 1 } } }, { handlers: [call] });
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const message = expect.stringMatching(/^fetch failed: (bad port|connect ECONNREFUSED 127.0.0.1:1)$/);
  expect((await tasker.getStep(taskUuid, 'call')).results?.error?.message).toEqual(message);
  expect((await tasker.getHistory(taskUuid))[0]!.error!.message).toEqual(message);
  expect((await tasker.why(taskUuid)).steps[0]!.why).toMatch(/: fetch failed: (bad port|connect ECONNREFUSED)/);
});

it('a failed fetch names the parts of a cause without a message, and ignores a circular cause', async () => {
  const parts = new AggregateError([
    new Error('connect ECONNREFUSED ::1:9'),
    new Error('connect ECONNREFUSED 127.0.0.1:9'),
  ]);
  const itself = new TypeError('fetch failed');
  itself.cause = itself;
  const thrown = [new TypeError('fetch failed', { cause: parts }), itself, new TypeError('fetch failed')];
  const call = defineHandler('call', {}, ({ context }) => Promise.reject(thrown[context.retryCount]!));
  const { tasker, demo } = await shared.setup({ call: { retry: { backoff: 'none' } } }, { handlers: [call] });
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const history = await tasker.getHistory(taskUuid);
  expect(history.map(({ error }) => error?.message)).toEqual([
    'fetch failed: connect ECONNREFUSED ::1:9; connect ECONNREFUSED 127.0.0.1:9',
    'fetch failed',
    'fetch failed',
  ]);
});
