import type { BackoffPolicy } from './retry-delay.ts';

/** A part of a retry policy for failures of certain kinds. Fields that are null are those of the policy. */
export interface RetryRule {
  /** The rule applies to failures with one of these types or codes. */
  error: string[];
  /**
   * False: such a failure is final. True: it is retried even if the handler reported it as permanent. Null: as the
   * handler reported it.
   */
  retryable: boolean | null;
  /** Maximum number of attempts, including the first and the failures of other kinds. */
  maxAttempts: number | null;
  backoff: BackoffPolicy['backoff'] | null;
  backoffBaseMs: number | null;
  maxBackoffMs: number | null;
}

/** Whether and when a failed attempt is retried. */
export interface RetryPolicy extends BackoffPolicy {
  /** If false, the first failure is final, even if the result is retryable. Default true. */
  retryable: boolean;
  /** Maximum number of attempts, including the first. 1 to 100, default 3. */
  maxAttempts: number;
  /** How the delay grows. Default `exponential`. */
  backoff: BackoffPolicy['backoff'];
  /** Base delay of the backoff in milliseconds. Default 1000. */
  backoffBaseMs: number;
  /** Maximum delay in milliseconds. Default 30000. */
  maxBackoffMs: number;
  /** Milliseconds from the start of the first attempt: no retry starts later. Null: no limit. */
  forMs: number | null;
  /** The first rule for the type or code of a failure decides. Null: all failures are treated alike. */
  rules: RetryRule[] | null;
}

/** The kind of a failure, as it is stored. */
export interface FailureKind {
  type: string | null | undefined;
  code?: string | null | undefined;
}

/** The part of a policy that applies to a failure. */
export interface AppliedPolicy extends BackoffPolicy {
  maxAttempts: number;
  /** The value of the rule. Null: as the handler reported it. */
  retryable: boolean | null;
}

/** The type of the failure of an attempt whose worker was lost. */
export const WORKER_LOST = 'worker_lost';

/** Returns the first rule for the type or code of a failure. Undefined if there is none. */
export function ruleFor({ rules }: RetryPolicy, { type, code }: FailureKind): RetryRule | undefined {
  return rules?.find(({ error }) => error.some((kind) => kind === type || kind === code));
}

/** Returns the part of a policy that applies to a failure: that of its rule, and of the policy where the rule has no value. */
export function policyFor(policy: RetryPolicy, failure: FailureKind): AppliedPolicy {
  const rule = ruleFor(policy, failure);
  return {
    retryable: rule?.retryable ?? null,
    maxAttempts: rule?.maxAttempts ?? policy.maxAttempts,
    backoff: rule?.backoff ?? policy.backoff,
    backoffBaseMs: rule?.backoffBaseMs ?? policy.backoffBaseMs,
    maxBackoffMs: rule?.maxBackoffMs ?? policy.maxBackoffMs,
  };
}

/** Returns the largest number of attempts that a policy allows, for any failure. The step is stored with it. */
export function mostAttempts({ maxAttempts, rules }: RetryPolicy): number {
  return Math.max(
    maxAttempts,
    ...(rules ?? []).map((rule) => (rule.retryable === false ? 0 : (rule.maxAttempts ?? 0))),
  );
}

/** Returns the number of attempts after which the loss of a worker is final. 0: the first loss is. */
export function attemptsIfLost(policy: RetryPolicy): number {
  const { retryable, maxAttempts } = policyFor(policy, { type: WORKER_LOST });
  return retryable === false ? 0 : maxAttempts;
}

/** A failed attempt, for the decision about a retry. */
export interface FailedAttempt extends FailureKind {
  /** Whether the failure was reported as one that may be retried. */
  retryable: boolean;
  /** The number of the attempt among the attempts that count. */
  number: number;
  /** Milliseconds since the start of the first attempt. Needed only for a policy with a time. */
  elapsedMs: number;
  /** Returns the milliseconds to wait before a retry. */
  delayMs(policy: BackoffPolicy): number;
}

/** Whether a failure may be retried, and the time before the retry. */
export interface RetryDecision {
  /** Whether the failure is one that may be retried, by the handler or by a rule. */
  retryable: boolean;
  /** Whether the attempt may be repeated. The limit of the stored step also applies. */
  again: boolean;
  /** 0 if it may not be repeated. */
  delayMs: number;
}

/** Decides whether a failed attempt may be retried. */
export function decideRetry(policy: RetryPolicy, failed: FailedAttempt): RetryDecision {
  const applied = policy.rules ? policyFor(policy, failed) : undefined;
  const retryable = applied?.retryable ?? failed.retryable;
  if (!retryable) return { retryable, again: false, delayMs: 0 };
  if (applied && failed.number >= applied.maxAttempts) return { retryable, again: false, delayMs: 0 };
  const delayMs = failed.delayMs(applied ?? policy);
  if (policy.forMs !== null && failed.elapsedMs + delayMs > policy.forMs)
    return { retryable, again: false, delayMs: 0 };
  return { retryable, again: true, delayMs };
}
