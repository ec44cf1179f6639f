import { classNameOf, read } from './thrown.ts';

/** The return value of {@link ErrorClassifier.classify}. */
export interface ErrorClassification {
  /** The class of the error. */
  errorType: string;
  /** Whether a retry may help. */
  retryable: boolean;
  /** The basis of the decision: the error's `retryable`, its class or system error code, or the default. */
  classification: 'explicit_attribute' | 'permanent_class' | 'retryable_class' | 'default';
}

/** Mistakes in the program or its input, which would recur on a retry. */
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

/** Aborts and timeouts that the platform throws. */
const RETRYABLE: ReadonlySet<string> = new Set(['AbortError', 'TimeoutError']);

/**
 * Decides whether an error is worth a retry. The error's own boolean `retryable` comes first. Network and system errors
 * (a `code` such as `ECONNREFUSED`, on the error or its cause) and aborts are retryable. Programming errors
 * (`TypeError`, `SyntaxError` …) are permanent. For all others, `defaultRetryable` applies.
 *
 * Handlers can use the classifier to decide. The worker itself only checks `retryable`, and retries every error that
 * does not set it to false.
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
  /** Whether unknown errors are retryable. Default true. */
  readonly defaultRetryable: boolean;

  constructor({ defaultRetryable = true }: { defaultRetryable?: boolean } = {}) {
    this.defaultRetryable = defaultRetryable;
  }

  /** Returns whether a retry may help. */
  retryable(error: unknown): boolean {
    return this.classify(error).retryable;
  }

  /** Returns whether a retry cannot help. */
  permanent(error: unknown): boolean {
    return !this.retryable(error);
  }

  /** Returns the decision and its basis. */
  classify(error: unknown): ErrorClassification {
    const errorType = classNameOf(error);
    const retryable = read(error, 'retryable');
    if (typeof retryable === 'boolean') return { errorType, retryable, classification: 'explicit_attribute' };
    // Checked before the permanent classes, because a `fetch` that cannot connect throws a TypeError whose cause has
    // the system code.
    if (RETRYABLE.has(errorType) || isSystemError(error) || isSystemError(read(error, 'cause')))
      return { errorType, retryable: true, classification: 'retryable_class' };
    if (PERMANENT.has(errorType) || PERMANENT.has(String(read(error, 'name'))))
      return { errorType, retryable: false, classification: 'permanent_class' };
    return { errorType, retryable: this.defaultRetryable, classification: 'default' };
  }
}

let shared: ErrorClassifier | undefined;

/**
 * Returns the classifier that {@link isRetryable} and {@link isPermanent} use. Unknown errors are retryable.
 *
 * @example
 * getClassifier().classify(new TypeError('x is undefined')).classification; // 'permanent_class'
 */
export function getClassifier(): ErrorClassifier {
  shared ??= new ErrorClassifier();
  return shared;
}

/**
 * Returns whether a retry may help; see {@link ErrorClassifier}.
 *
 * @example
 * isRetryable(new NetworkError('connection reset')); // true
 */
export function isRetryable(error: unknown): boolean {
  return getClassifier().retryable(error);
}

/**
 * Returns whether a retry cannot help; see {@link ErrorClassifier}.
 *
 * @example
 * isPermanent(new PermanentError('order is cancelled')); // true
 */
export function isPermanent(error: unknown): boolean {
  return getClassifier().permanent(error);
}

/**
 * Returns whether an error is from a system call, a socket (`ECONNRESET`) or `fetch` (`UND_ERR_…`), but not Node's own
 * `ERR_…`.
 */
function isSystemError(error: unknown): boolean {
  const code = read(error, 'code');
  return typeof code === 'string' && (/^E(?!RR_)[A-Z0-9]+$/.test(code) || code.startsWith('UND_ERR_'));
}
