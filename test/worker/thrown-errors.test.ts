import { expect, it } from 'vitest';
import { defineHandler, NotFoundError, RateLimitError } from '../../src/index.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

it('each failed attempt is kept with what was thrown: type, code, status, metadata, frames and causes', async () => {
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
