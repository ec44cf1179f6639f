import { ErrorType } from './error-type.ts';
import { PermanentError } from './handler-errors.ts';

// Failures that no further attempt can mend, by what caused them. Where a failed HTTP request has a type for the same
// thing, it is the same.

/**
 * Data that does not meet its rules; stored as `validation_error`.
 *
 * @example
 * throw new StepValidationError('email: not an address', { metadata: { field: 'email' } });
 */
export class StepValidationError extends PermanentError {
  static override readonly errorType: string = ErrorType.VALIDATION_ERROR;
  override readonly name: string = 'StepValidationError';
}

/**
 * Something that must be there and is not; stored as `not_found`.
 *
 * @example
 * throw new NotFoundError('there is no order O-7');
 */
export class NotFoundError extends PermanentError {
  static override readonly errorType: string = 'not_found';
  override readonly name: string = 'NotFoundError';
}

/**
 * Credentials that are refused; stored as `unauthorized`.
 *
 * @example
 * throw new AuthenticationError('carrier: the API key is refused', { statusCode: 401 });
 */
export class AuthenticationError extends PermanentError {
  static override readonly errorType: string = 'unauthorized';
  override readonly name: string = 'AuthenticationError';
}

/**
 * A right that is missing; stored as `forbidden`.
 *
 * @example
 * throw new AuthorizationError('refunds need the role finance', { statusCode: 403 });
 */
export class AuthorizationError extends PermanentError {
  static override readonly errorType: string = 'forbidden';
  override readonly name: string = 'AuthorizationError';
}

/**
 * A setting that is missing or wrong; stored as `configuration_error`.
 *
 * @example
 * throw new ConfigurationError('handler.initialization: carrier is missing');
 */
export class ConfigurationError extends PermanentError {
  static override readonly errorType: string = 'configuration_error';
  override readonly name: string = 'ConfigurationError';
}

/**
 * A rule of the business that forbids it; stored as `business_logic_error`.
 *
 * @example
 * throw new BusinessLogicError('a refund can not exceed the payment', { errorCode: 'REFUND_TOO_LARGE' });
 */
export class BusinessLogicError extends PermanentError {
  static override readonly errorType: string = 'business_logic_error';
  override readonly name: string = 'BusinessLogicError';
}
