import { KIND, type Recording } from '../engine/engine.ts';
import type { AttemptCalls, AttemptDetail, EventProblem } from '../engine/task-view.ts';
import type { Publication } from '../events/publishing/publication.ts';
import { ErrorType } from '../handlers/failures/handler-errors.ts';
import { messageOfThrown, storableText } from '../handlers/failures/thrown.ts';
import { storedOrchestrationMetadata } from '../handlers/orchestration-metadata.ts';
import { hasFields, MAX_FAILURE_TEXT, plainFailure, waitIn } from '../handlers/outcome.ts';
import { retryAfterSeconds } from '../handlers/retry-after.ts';
import { StepHandlerResult } from '../handlers/step-handler.ts';
import { storableJson } from '../model/json.ts';
import { type BackoffPolicy, retryDelayMs } from '../model/retry-delay.ts';
import { decideRetry, type RetryDecision } from '../model/retry-rules.ts';
import type { WaitRequest } from '../model/waits.ts';
import type { DispatchedStep, EarlierCalls } from './dispatched-step.ts';
import { type CheckedResult, checkedResult, DEFAULT_VERSION } from './run-step.ts';
import { requestOf } from './waits/handler-waits.ts';

/** The end of an attempt, ready to be recorded, with the data that the worker needs to continue. */
export interface AttemptEnd extends Recording {
  step: DispatchedStep;
  attempt: number;
  durationMs: number;
  /** Written to the log. Undefined if the attempt did not fail. */
  error: { type: string; message: string } | undefined;
  /** The domain events to publish once the attempt is recorded. */
  publication?: Publication | undefined;
  /** Set once the attempt is recorded with events: their time, in ISO 8601. */
  recordedAt?: string;
  /**
   * Whether an earlier request, whose response was lost, already recorded it. An operator may since have corrected the
   * result.
   */
  recordedBefore?: true;
}

/** Maximum delay from a server's Retry-After, in seconds. Longer delays are capped. */
const LONGEST_RETRY_AFTER_S = 7 * 24 * 3600;
/** Maximum characters of a handler's version. */
const MAX_VERSION = 500;
/** Maximum bytes of the detail that is stored with a result. */
const MAX_DETAIL = 1_048_576;

/**
 * Returns the end of an attempt with this result. A result that cannot be stored becomes a permanent failure that names
 * the invalid part. Never throws, even though a result created by hand in JavaScript may have any value in place of a
 * string or a number.
 */
export function attemptEnd(step: DispatchedStep, result: StepHandlerResult, version: string): AttemptEnd {
  try {
    return endOf(step, result, version);
  } catch (thrown) {
    const message = `step ${step.name}: the result cannot be read: ${messageOfThrown(thrown)}`;
    return endOf(step, permanent(ErrorType.PERMANENT_ERROR, message), DEFAULT_VERSION);
  }
}

function endOf(step: DispatchedStep, given: StepHandlerResult, version: string): AttemptEnd {
  const wait = waitIn(given);
  const asked = wait && requestOf(step, wait);
  if (asked && 'kind' in asked) return waiting(step, asked);
  const result = asked ?? given;
  const outcome = checked(step, result);
  const success = outcome.result.success;
  const { retryable, again, delayMs } = success ? NOT_AGAIN : retryOf(step, outcome.result);
  return {
    step,
    taskUuid: step.taskUuid,
    idx: step.idx,
    claim: step.claim,
    attempt: step.attempt,
    kind: success ? KIND.completed : again ? KIND.retryable : KIND.permanent,
    delayMs,
    templateId: step.task.snapshot.id,
    rank: step.rank,
    durationMs: durationOf(step),
    result: outcome.json,
    expansion: outcome.expansion,
    detail: detailOf(outcome.result, { version, step, delayMs, retryable }),
    error: success
      ? undefined
      : {
          type: outcome.result.errorType ?? ErrorType.HANDLER_ERROR,
          message: outcome.result.errorMessage ?? '',
        },
    // Set later. The field exists from the start, because adding it or copying the object would be expensive.
    events: undefined,
    publication: undefined,
    wait: undefined,
    missed: undefined,
  };
}

/** Returns the duration in whole milliseconds, capped at the largest value of the column. */
function durationOf({ startedAt }: DispatchedStep): number {
  return Math.min(Math.round(performance.now() - startedAt), 2 ** 31 - 1);
}

/** Returns the end that releases the step: it returns to the queue without spending an attempt. */
export function released(step: DispatchedStep): AttemptEnd {
  return withoutResult(step, KIND.released, undefined);
}

/**
 * Returns the end that releases the step until a worker has its handler. It spends no attempt, and is not claimed until
 * then.
 */
export function withheld(step: DispatchedStep, missed: NonNullable<Recording['missed']>): AttemptEnd {
  return { ...released(step), missed };
}

/** Returns the end of a step whose condition is false. It spends no attempt. */
export function skipped(step: DispatchedStep): AttemptEnd {
  return withoutResult(step, KIND.skipped, undefined);
}

/** Returns the end that begins a wait. The attempt of the step ends with the wait. */
export function waiting(step: DispatchedStep, wait: WaitRequest): AttemptEnd {
  return withoutResult(step, KIND.waits, wait);
}

/** Returns the end of a start that begins a list, or that waits for its elements again. It spends no attempt. */
export function listed(step: DispatchedStep, list: NonNullable<Recording['list']>): AttemptEnd {
  return { ...withoutResult(step, KIND.listed, undefined), list };
}

function withoutResult(step: DispatchedStep, kind: AttemptEnd['kind'], wait: WaitRequest | undefined): AttemptEnd {
  return {
    step,
    taskUuid: step.taskUuid,
    idx: step.idx,
    claim: step.claim,
    attempt: step.attempt,
    kind,
    delayMs: 0,
    templateId: step.task.snapshot.id,
    rank: step.rank,
    durationMs: durationOf(step),
    result: 'null',
    detail: 'null',
    error: undefined,
    events: undefined,
    publication: undefined,
    wait,
    missed: undefined,
  };
}

/**
 * Returns the same attempt as a failure with the message of the database, which rejected its result. A retryable
 * failure stays retryable.
 */
export function refusedByDatabase(end: AttemptEnd, refusal: string): AttemptEnd {
  const message = `the result cannot be stored: ${refusal}`;
  if (end.kind !== KIND.retryable) return failedInstead(end, permanent(ErrorType.PERMANENT_ERROR, message));
  const failure = StepHandlerResult.failure({ message, errorType: ErrorType.RETRYABLE_ERROR, retryable: true });
  return { ...failedInstead(end, failure, end.delayMs), kind: end.kind };
}

/** Returns the same attempt as this permanent failure, without its result and its events. */
export function failedInstead(end: AttemptEnd, given: StepHandlerResult, delayMs = 0): AttemptEnd {
  const failure = plainFailure(given);
  return {
    ...end,
    kind: KIND.permanent,
    delayMs,
    result: 'null',
    expansion: undefined,
    events: undefined,
    publication: undefined,
    wait: undefined,
    child: undefined,
    list: undefined,
    detail: detailOf(failure, { version: DEFAULT_VERSION, step: end.step, delayMs, retryable: failure.retryable }),
    error: { type: failure.errorType ?? ErrorType.PERMANENT_ERROR, message: failure.errorMessage ?? '' },
  };
}

/** Adds the reasons why some events of the attempt are not published. */
export function noteEventProblems(end: AttemptEnd, problems: readonly EventProblem[]): void {
  if (problems.length === 0) return;
  const detail = (end.detail === 'null' ? {} : JSON.parse(end.detail)) as AttemptDetail;
  const event_problems = [...(detail.event_problems ?? []), ...problems.map(storableProblem)];
  end.detail = JSON.stringify({ ...detail, event_problems });
}

function storableProblem({ path, message, ...problem }: EventProblem): EventProblem {
  const plain = (text: string) => storableText(text, MAX_FAILURE_TEXT);
  return { ...problem, message: plain(message), path: path === null ? null : plain(path) };
}

function permanent(errorType: string, message: string): StepHandlerResult {
  return plainFailure(StepHandlerResult.failure({ message, errorType, retryable: false }));
}

/** Returns a storable result with the steps that it creates, or the failure that replaces it. */
function checked(step: DispatchedStep, result: StepHandlerResult): CheckedResult & Pick<Recording, 'expansion'> {
  const { snapshot } = step.task;
  const stored = checkedResult(result, {
    step: step.name,
    violations: step.template.resultSchema ? snapshot.checkResult[step.templateIdx] : undefined,
  });
  const { type } = step.template;
  if (!stored.result.success) return { result: plainFailure(stored.result), json: 'null' };
  if (type !== 'decision' && type !== 'batchable') return stored;
  const expansion = snapshot.expansionOf(step.idx, JSON.parse(stored.json));
  if (expansion?.kind !== 'wrong') return { ...stored, expansion };
  return { result: permanent(ErrorType.VALIDATION_ERROR, `step ${step.name}: ${expansion.reason}`), json: 'null' };
}

const NOT_AGAIN: RetryDecision = { retryable: false, again: false, delayMs: 0 };

/** Decides by the policy of a step whether a failed attempt may be retried. */
function retryOf(step: DispatchedStep, result: StepHandlerResult): RetryDecision {
  return decideRetry(step.template.retry, {
    type: result.errorType,
    code: result.errorCode,
    retryable: result.retryable,
    number: step.number,
    elapsedMs: step.elapsedMs,
    delayMs: (policy) => delayOf(step, result, policy),
  });
}

/**
 * Returns the delay before the retry in milliseconds. A server's Retry-After takes precedence over the template's
 * backoff.
 */
function delayOf(step: DispatchedStep, result: StepHandlerResult, policy: BackoffPolicy): number {
  const { retryAfter } = result;
  const usable = typeof retryAfter === 'number' || typeof retryAfter === 'string' || retryAfter instanceof Date;
  const seconds = usable ? retryAfterSeconds(retryAfter, Date.now()) : null;
  if (seconds !== null) return Math.ceil(Math.min(seconds, LONGEST_RETRY_AFTER_S) * 1000);
  return retryDelayMs(policy, step.retryCount + 1, Math.random());
}

/** Returns the detail that is stored with a result. Defaults are omitted, so a plain success stores none. */
function detailOf(
  result: StepHandlerResult,
  { version, step, delayMs, retryable }: { version: string; step: DispatchedStep } & Omit<RetryDecision, 'again'>,
): string {
  const detail: AttemptDetail = {};
  if (!result.success) {
    detail.error = {
      message: result.errorMessage ?? 'unknown error',
      error_type: result.errorType,
      retryable,
    };
    if (result.errorCode !== null) detail.error.error_code = result.errorCode;
    if (result.statusCode !== null) detail.error.status_code = result.statusCode;
    if (result.backtrace.length > 0) detail.error.backtrace = [...result.backtrace];
  }
  if (hasFields(result.metadata)) detail.custom = result.metadata;
  if (version !== DEFAULT_VERSION) detail.handler_version = storableText(version, MAX_VERSION);
  const runBy = step.delivery?.runBy;
  if (runBy !== undefined) detail.worker_id = runBy;
  if (step.earlierCalls) detail.calls = callsIn(step, step.earlierCalls);
  // Needed by the statistics, because the step keeps the time of a retry only until it runs again.
  if (delayMs > 0) detail.retry_delay_ms = delayMs;
  if (result.orchestrationMetadata) {
    detail.orchestration_metadata = storedOrchestrationMetadata(result.orchestrationMetadata);
  }
  return storableDetail(detail);
}

/** Returns the calls of the handler in this attempt, including the one that ended it. */
function callsIn({ startedAt }: DispatchedStep, { count, since, firstAt }: EarlierCalls): AttemptCalls {
  return { count: count + 1, first: since, last: new Date(Date.parse(since) + (startedAt - firstAt)).toISOString() };
}

/** Serializes the detail. Metadata that jsonb cannot hold is replaced with the place and the reason. */
function storableDetail(detail: AttemptDetail): string {
  for (const _ in detail) {
    const stored = storableJson(detail, { name: 'metadata', maxBytes: MAX_DETAIL });
    return stored.ok ? stored.json : JSON.stringify(storableParts(detail));
  }
  return 'null';
}

/** Checks the metadata part by part, so that only the part that cannot be stored is lost. */
function storableParts({ custom, orchestration_metadata, ...others }: AttemptDetail): AttemptDetail {
  const leftOut: Record<string, string> = {};
  const kept = <T>(name: string, value: T | undefined): T | undefined => {
    if (value === undefined) return undefined;
    const stored = storableJson(value, { name, maxBytes: MAX_DETAIL });
    if (stored.ok) return JSON.parse(stored.json) as T;
    leftOut[`${name}_left_out`] = storableText(`${stored.path}: ${stored.reason}`, MAX_FAILURE_TEXT);
    return undefined;
  };
  const orchestration = kept('orchestration_metadata', orchestration_metadata);
  const metadata = kept('metadata', custom);
  return { ...others, orchestration_metadata: orchestration, custom: { ...metadata, ...leftOut } };
}

/**
 * Returns the maximum number of children that a completed step can make ready: those of the template, and its batch
 * workers.
 */
export function possibleChildren({ step: { task, templateIdx }, expansion }: AttemptEnd): number {
  const children = task.snapshot.graph.children[templateIdx]!.length;
  return expansion?.kind === 'batch' ? children + Math.min(expansion.parts.length, expansion.parallelism) : children;
}

// ---- ends without a result of the handler

/** Returns the end of an attempt whose handler did not settle in time. */
export function timedOut(step: DispatchedStep, timeoutMs: number): AttemptEnd {
  return attemptEnd(step, timeoutFailure(step.name, timeoutMs), DEFAULT_VERSION);
}

/** Returns the failure of a step whose handler did not settle in time. */
export function timeoutFailure(step: string, timeoutMs: number): StepHandlerResult {
  const message = `step ${step} did not finish within ${timeoutMs} ms`;
  return StepHandlerResult.failure({ message, errorType: ErrorType.TIMEOUT, retryable: true });
}

/** Returns the end of an attempt whose event was read but not completed. */
export function forgotten(step: DispatchedStep, afterMs: number): AttemptEnd {
  const message = `step ${step.name}: its event was read but not completed within ${afterMs} ms`;
  const failure = StepHandlerResult.failure({ message, errorType: ErrorType.TIMEOUT, retryable: true });
  return attemptEnd(step, failure, DEFAULT_VERSION);
}

/** Returns the end of a step whose handler no worker can ever have. */
export function handlerNotFound(step: DispatchedStep, message: string): AttemptEnd {
  const failure = StepHandlerResult.failure({ message, errorType: 'handler_not_found', retryable: false });
  return attemptEnd(step, failure, DEFAULT_VERSION);
}

/**
 * Returns the end of an attempt whose handler still runs when the worker stops. The step is released if it is
 * retryable. Otherwise an operator decides.
 */
export function abandoned(step: DispatchedStep): AttemptEnd {
  if (step.template.retry.retryable) return released(step);
  const message = `step ${step.name} was still running when its worker stopped; it is not retryable and may have had an effect; check its effect, then retry or resolve it`;
  const failure = StepHandlerResult.failure({ message, errorType: 'worker_stopped', retryable: false });
  return attemptEnd(step, failure, DEFAULT_VERSION);
}
