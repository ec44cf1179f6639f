import { describe, expect, it } from 'vitest';
import { deliveryFailureOf, LONGEST_RETRY_AFTER_MS } from '../../../src/events/delivery/deliver.ts';
import { PermanentError, RetryableError } from '../../../src/handlers/failures/handler-errors.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');

describe('the error of a failed delivery', () => {
  it('prevents retries if it is permanent, and allows them otherwise', () => {
    expect(deliveryFailureOf(new PermanentError('no such order'))).toEqual({
      permanent: true,
      retryAfterMs: undefined,
    });
    expect(deliveryFailureOf(Object.assign(new Error('gone'), { retryable: false })).permanent).toBe(true);
    for (const thrown of [new Error('busy'), new RetryableError('busy'), 'busy', null, undefined, { retryable: 0 }]) {
      expect(deliveryFailureOf(thrown)).toEqual({ permanent: false, retryAfterMs: undefined });
    }
  });

  it.each([
    [30, 30_000],
    ['1.5', 1500],
    ['Fri, 02 Jan 2026 03:05:05 GMT', 60_000],
    [new Date('2026-01-02T03:04:00Z'), 0],
    ['some day', undefined],
    [Number.NaN, undefined],
    [1e9, LONGEST_RETRY_AFTER_MS],
  ])('sets the delay before the retry: retryAfter %s is %s ms', (retryAfter, expected) => {
    expect(deliveryFailureOf(new RetryableError('busy', { retryAfter }), NOW).retryAfterMs).toBe(expected);
  });
});
