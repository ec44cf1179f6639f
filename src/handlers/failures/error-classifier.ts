import { classNameOf, read } from './thrown.ts';

/** What {@link ErrorClassifier.classify} says of an error. */
export interface ErrorClassification {
  /** The class of the error. */
  errorType: string;
  /** Whether another attempt may help. */
  retryable: boolean;
  /** What decided: the error's own `retryable`, its class (or the system's code), or the classifier's default. */
  classification: 'explicit_attribute' | 'permanent_class' | 'retryable_class' | 'default';
}

/** Mistakes of the program or its input: the next attempt meets them again. */
const PERMANENT: ReadonlySet<string> = new Set([
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
  'AssertionError',
  'ZodError',
]);

/** Aborts and timeouts of the platform. */
const RETRYABLE: ReadonlySet<string> = new Set(['AbortError', 'TimeoutError']);

/**
 * Says whether an error is worth another attempt. In this order: its own boolean `retryable`; network and system
 * errors (a `code` such as `ECONNREFUSED`, on it or on its cause) and aborts are retryable; mistakes of the program
 * (`TypeError`, `SyntaxError` …) are permanent; anything else is as `defaultRetryable` says.
 *
 * It is for handlers that want to decide. The worker itself goes by `retryable` alone and tries everything else again.
 *
 * @example
 * const classifier = new ErrorClassifier({ defaultRetryable: false });
 * try {
 *   await charge(order);
 * } catch (error) {
 *   throw classifier.retryable(error) ? error : new PermanentError('not charged', { cause: error });
 * }
 */
export class ErrorClassifier {
  /** What holds for errors that nothing is known of. Default true. */
  readonly defaultRetryable: boolean;

  constructor({ defaultRetryable = true }: { defaultRetryable?: boolean } = {}) {
    this.defaultRetryable = defaultRetryable;
  }

  /** Whether another attempt may help. */
  retryable(error: unknown): boolean {
    return this.classify(error).retryable;
  }

  /** Whether no further attempt can help. */
  permanent(error: unknown): boolean {
    return !this.retryable(error);
  }

  /** The decision, and what it follows from. */
  classify(error: unknown): ErrorClassification {
    const errorType = classNameOf(error);
    const retryable = read(error, 'retryable');
    if (typeof retryable === 'boolean') return { errorType, retryable, classification: 'explicit_attribute' };
    // Before the mistakes: a `fetch` that finds no server throws a TypeError, whose cause has the system's code.
    if (RETRYABLE.has(errorType) || isSystemError(error) || isSystemError(read(error, 'cause')))
      return { errorType, retryable: true, classification: 'retryable_class' };
    if (PERMANENT.has(errorType) || PERMANENT.has(String(read(error, 'name'))))
      return { errorType, retryable: false, classification: 'permanent_class' };
    return { errorType, retryable: this.defaultRetryable, classification: 'default' };
  }
}

let shared: ErrorClassifier | undefined;

/**
 * The classifier behind {@link isRetryable} and {@link isPermanent}: unknown errors are retryable.
 *
 * @example
 * getClassifier().classify(new TypeError('x is undefined')).classification; // 'permanent_class'
 */
export function getClassifier(): ErrorClassifier {
  shared ??= new ErrorClassifier();
  return shared;
}

/**
 * Whether another attempt may help; see {@link ErrorClassifier}.
 *
 * @example
 * isRetryable(new NetworkError('connection reset')); // true
 */
export function isRetryable(error: unknown): boolean {
  return getClassifier().retryable(error);
}

/**
 * Whether no further attempt can help; see {@link ErrorClassifier}.
 *
 * @example
 * isPermanent(new PermanentError('order is cancelled')); // true
 */
export function isPermanent(error: unknown): boolean {
  return getClassifier().permanent(error);
}

/** System calls, sockets (`ECONNRESET`) and the platform's HTTP client (`UND_ERR_…`), but not Node's own `ERR_…`. */
function isSystemError(error: unknown): boolean {
  const code = read(error, 'code');
  return typeof code === 'string' && (/^E(?!RR_)[A-Z0-9]+$/.test(code) || code.startsWith('UND_ERR_'));
}
