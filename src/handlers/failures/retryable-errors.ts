import { ErrorType } from './error-type.ts';
import { RetryableError } from './handler-errors.ts';

// Failures that usually pass, by what caused them. Where a failed HTTP request has a type for the same thing, it is the same.

/**
 * Something took too long; stored as `timeout`.
 *
 * @example
 * throw new StepTimeoutError('the report was not ready within 30 s', { metadata: { report: 'R-7' } });
 */
export class StepTimeoutError extends RetryableError {
  static override readonly errorType: string = ErrorType.TIMEOUT;
  override readonly name: string = 'StepTimeoutError';
}

/**
 * No connection, or one that broke; stored as `connection_error`.
 *
 * @example
 * throw new NetworkError('payment gateway: connection reset', { cause: error });
 */
export class NetworkError extends RetryableError {
  static override readonly errorType: string = 'connection_error';
  override readonly name: string = 'NetworkError';
}

/**
 * Too many requests; stored as `rate_limited`. `retryAfter` says when the next attempt may start.
 *
 * @example
 * throw new RateLimitError('carrier: 100 requests a minute', { retryAfter: 60, statusCode: 429 });
 */
export class RateLimitError extends RetryableError {
  static override readonly errorType: string = 'rate_limited';
  override readonly name: string = 'RateLimitError';
}

/**
 * A service that is down or overloaded; stored as `service_unavailable`.
 *
 * @example
 * throw new ServiceUnavailableError('bank: closed for maintenance', { retryAfter: new Date('2026-01-02T06:00:00Z') });
 */
export class ServiceUnavailableError extends RetryableError {
  static override readonly errorType: string = 'service_unavailable';
  override readonly name: string = 'ServiceUnavailableError';
}

/**
 * A lock or another resource that somebody else holds; stored as `resource_contention`.
 *
 * @example
 * throw new ResourceContentionError('order O-7 is locked', { retryAfter: 2 });
 */
export class ResourceContentionError extends RetryableError {
  static override readonly errorType: string = 'resource_contention';
  override readonly name: string = 'ResourceContentionError';
}
