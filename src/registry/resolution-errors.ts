import { type ErrorCode, TaskerError } from '../errors.ts';
import { nearNames } from '../model/near-names.ts';

/** Options of a {@link ResolutionError}. */
export interface ResolutionErrorOptions {
  code?: ErrorCode;
  cause?: unknown;
  details?: Record<string, unknown>;
  /** Whether the step may be retried. Default false: a handler that is missing now will be missing in a minute. */
  retryable?: boolean;
}

/**
 * Thrown if the handler of a step cannot be found or created. Fails the step permanently, unless `retryable` is true.
 * The code is `handler_invalid` or `handler_not_found`. `errorType`, which is stored with the step, is the same.
 *
 * @example
 * if (error instanceof ResolutionError) console.error(error.code, error.message);
 */
export class ResolutionError extends TaskerError {
  override readonly name: string = 'ResolutionError';
  readonly retryable: boolean;
  readonly errorType: string;

  constructor(
    message: string,
    { code = 'handler_invalid', retryable = false, ...options }: ResolutionErrorOptions = {},
  ) {
    super(code, message, options);
    this.retryable = retryable;
    this.errorType = code;
  }
}

/**
 * Thrown if a definition names a resolver that is not in the chain.
 *
 * @example
 * new ResolverNotFoundError('tenats', ['tenants'])
 */
export class ResolverNotFoundError extends ResolutionError {
  override readonly name: string = 'ResolverNotFoundError';
  readonly resolverName: string;

  constructor(resolverName: string, known: readonly string[] = []) {
    const hint = hintOf(resolverName, known) || '; add it to the registry, or correct handler.resolver';
    super(`Resolver not found: ${resolverName}${hint}`, { code: 'handler_not_found', details: { known } });
    this.resolverName = resolverName;
  }
}

/**
 * Thrown if no resolver of the chain finds a handler for a callable.
 *
 * @example
 * new NoResolverMatchError('chrge', ['explicit_mapping'], ['charge'])
 */
export class NoResolverMatchError extends ResolutionError {
  override readonly name: string = 'NoResolverMatchError';
  readonly callable: string;
  readonly triedResolvers: string[];
  /** Similar names, most similar first. */
  readonly near: string[];

  constructor(callable: string, triedResolvers: readonly string[], known: readonly string[] = []) {
    const tried = triedResolvers.length > 0 ? ` (asked: ${triedResolvers.join(', ')})` : '';
    super(`no handler named ${callable}${tried}${hintOf(callable, known)}`, {
      code: 'handler_not_found',
      details: { callable, tried: [...triedResolvers] },
    });
    this.callable = callable;
    this.near = nearNames(callable, known);
    this.triedResolvers = [...triedResolvers];
  }
}

/**
 * Thrown if a definition names a method that its handler does not have.
 *
 * @example
 * new MethodDispatchError('payment', 'refnd', ['call', 'refund'])
 */
export class MethodDispatchError extends ResolutionError {
  override readonly name: string = 'MethodDispatchError';
  readonly handlerName: string;
  readonly methodName: string;

  constructor(handlerName: string, methodName: string, known: readonly string[] = []) {
    const has = known.length > 0 ? `; it has ${known.join(', ')}` : '';
    super(`handler ${handlerName} has no method ${methodName}${has}${hintOf(methodName, known)}`, {
      details: { method: methodName, known: [...known] },
    });
    this.handlerName = handlerName;
    this.methodName = methodName;
  }
}

function hintOf(wanted: string, known: readonly string[]): string {
  const near = nearNames(wanted, known);
  return near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
}
