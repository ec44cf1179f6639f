import { type Fields, isFields, storableJson } from '../model/json.ts';
import { isApiResponse } from './api/api-response.ts';
import { apiSuccess } from './api/api-results.ts';
import { backtraceOf } from './failures/backtrace.ts';
import { ErrorType, isStepExecutionError } from './failures/handler-errors.ts';

import { classNameOf, messageOfThrown, read, storableText } from './failures/thrown.ts';
import { type OrchestrationMetadata, storedOrchestrationMetadata } from './orchestration-metadata.ts';
import type { RetryAfter } from './retry-after.ts';
import { isStepHandlerResult, NO_LINES, StepHandlerResult, successOf } from './step-handler.ts';
import type { StepWait } from './step-wait.ts';

/** Bytes. Each failed attempt stores its own metadata. */
const MAX_METADATA = 256 * 1024;
/** Maximum length of an error type, an error code or a date, in characters. */
const MAX_WORD = 200;

/**
 * Converts a handler's return value to a result. An object is a success, nothing is a success with `{}`, and an array
 * or a primitive is a success with `{ result: value }`. A `StepExecutionError` is the same failure as throwing it. A
 * `StepHandlerResult` is returned as is, but the fields of a failure are made storable. The recorder checks whether a
 * success can be stored as JSON.
 *
 * @example
 * resultOfReturn({ packed: 2 }).result; // { packed: 2 }
 * resultOfReturn([1, 2]).result; // { result: [1, 2] }
 */
export function resultOfReturn(returned: unknown): StepHandlerResult {
  try {
    if (isPlain(returned)) return successOf(returned);
    if (isStepHandlerResult(returned)) return returned.success ? returned : plainFailure(returned);
    // The handler returned a `PermanentError` instead of throwing it. A success would hide it.
    if (isStepExecutionError(returned)) return failureOfThrown(returned);
    if (isApiResponse(returned)) return apiSuccess(returned);
    if (returned === undefined || returned === null) return StepHandlerResult.success({});
    if (typeof returned !== 'object' || Array.isArray(returned)) return successOf(returned);

    const { toJSON } = returned as { toJSON?: unknown };
    if (typeof toJSON !== 'function') return successOf(returned);
    const json: unknown = toJSON.call(returned, '');
    return successOf(json);
  } catch (thrown) {
    // A getter, a proxy or a `toJSON` threw. The mistake is in the handler, so a retry would not help.
    return new StepHandlerResult({
      success: false,
      errorMessage: `the returned value cannot be read: ${messageOfThrown(thrown)}`,
      errorType: ErrorType.PERMANENT_ERROR,
      retryable: false,
      backtrace: backtraceOf(thrown),
    });
  }
}

/** Returns whether a value is an object literal that is stored as is. Most results are. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false;
  return typeof (value as { toJSON?: unknown }).toJSON !== 'function';
}

/**
 * Converts a thrown value to a failure. If it has a boolean `retryable`, that decides whether the step is retried.
 * Otherwise the failure is retryable. Never throws.
 *
 * @example
 * resultOfThrown(new PermanentError('no such order')).retryable; // false
 * resultOfThrown(new TypeError('x is undefined')).metadata; // { exception: 'TypeError' }
 */
export function resultOfThrown(thrown: unknown): StepHandlerResult {
  const result = failureOfThrown(thrown);
  thrownBehind.set(result, { thrown });
  return result;
}

// Function handlers convert errors to results themselves. This map keeps the original error of each of these results.
const thrownBehind = new WeakMap<StepHandlerResult, { thrown: unknown }>();

/** Returns the thrown value that a result was created from. Undefined if the handler returned the result. */
export function thrownBehindResult(result: StepHandlerResult): { thrown: unknown } | undefined {
  return thrownBehind.get(result);
}

function failureOfThrown(thrown: unknown): StepHandlerResult {
  try {
    // `throw this.failure(…)` is a failure with these fields.
    return isStepHandlerResult(thrown) && !thrown.success ? plainFailure(thrown) : describedFailure(thrown);
  } catch {
    // The value is a proxy that throws on every access. Nothing else is known about it.
    return StepHandlerResult.failure('an unreadable value was thrown');
  }
}

function describedFailure(thrown: unknown): StepHandlerResult {
  const errorType = text(read(thrown, 'errorType'));
  const retryable = read(thrown, 'retryable');
  return new StepHandlerResult({
    success: false,
    errorMessage: messageOfThrown(thrown),
    errorType: errorType ?? ErrorType.HANDLER_ERROR,
    errorCode: text(read(thrown, 'errorCode')),
    retryable: typeof retryable === 'boolean' ? retryable : true,
    metadata: metadataOf(thrown, errorType === null),
    retryAfter: retryAfterOf(thrown),
    backtrace: backtraceOf(thrown),
    statusCode: statusOf(thrown),
  });
}

function metadataOf(thrown: unknown, nameClass: boolean): Fields {
  const given = read(thrown, 'metadata');
  const code = read(thrown, 'code');
  const metadata: Fields = nameClass ? { exception: classNameOf(thrown) } : {};
  if (nameClass && text(code) !== null) metadata.code = text(code);
  if (!isFields(given)) return metadata;

  // A failure that cannot be stored would be lost, so metadata without a JSON form is replaced by the reason.
  const stored = storableJson(given, { name: 'metadata', maxBytes: MAX_METADATA });
  if (!stored.ok) return { ...metadata, metadata_left_out: `${stored.path}: ${stored.reason}` };
  return { ...metadata, ...(JSON.parse(stored.json) as Fields) };
}

function retryAfterOf(thrown: unknown): RetryAfter | null {
  const value = read(thrown, 'retryAfter');
  return typeof value === 'number' || value instanceof Date ? value : text(value);
}

function statusOf(thrown: unknown): number | null {
  for (const key of ['statusCode', 'status']) {
    const value = read(thrown, key);
    if (typeof value === 'number' && Number.isInteger(value)) return value;
  }
  return null;
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? storableText(value, MAX_WORD) : null;
}

// A handler written in JavaScript can return anything where a string or a number is expected. A failure that cannot be
// stored would be recorded as a different failure, and a retryable failure would never be retried.

/** Maximum length of a message, an error type or an error code, in characters. */
export const MAX_FAILURE_TEXT = 10_000;
const MAX_LINES = 100;
const MAX_LINE = 1_000;
/** Maximum size of a failure's metadata, in bytes. */
const MAX_FAILURE_METADATA = 1_048_576;

/**
 * Returns a failure whose fields can all be stored. Long strings are truncated, and characters that PostgreSQL rejects
 * are replaced. A status that is not a number is omitted. Metadata without a JSON form is replaced by the reason.
 * Returns the same object if nothing has to change. Never throws.
 *
 * @example
 * plainFailure(StepHandlerResult.failure('a\0b', { metadata: { n: 1n } })).metadata;
 * // { metadata_left_out: 'metadata.n: a BigInt has no JSON form; use String(x) or Number(x)' }
 */
export function plainFailure(result: StepHandlerResult): StepHandlerResult {
  const retryable = read(result, 'retryable');
  const leftOut: Fields = {};
  const orchestrationMetadata = plainOrchestration(read(result, 'orchestrationMetadata'), leftOut);
  const metadata = plainMetadata(read(result, 'metadata'), leftOut);
  const plain = {
    success: false,
    result: read(result, 'result') as object | null,
    errorMessage: plainText(read(result, 'errorMessage')),
    errorType: plainText(read(result, 'errorType')),
    errorCode: plainText(read(result, 'errorCode')),
    retryable: retryable === undefined || Boolean(retryable),
    metadata,
    orchestrationMetadata,
    retryAfter: plainRetryAfter(read(result, 'retryAfter')),
    backtrace: plainLines(read(result, 'backtrace')),
    statusCode: plainStatus(read(result, 'statusCode')),
  };
  const entries = Object.entries(plain);
  return entries.every(([key, value]) => read(result, key) === value) ? result : new StepHandlerResult(plain);
}

function plainText(value: unknown, maxLength = MAX_FAILURE_TEXT): string | null {
  if (value === undefined || value === null) return null;
  try {
    return storableText(String(value), maxLength);
  } catch {
    return `unreadable value of type ${typeof value}`;
  }
}

function plainStatus(value: unknown): number | null {
  const status = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  const number = typeof status === 'bigint' ? Number(status) : status;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}

function plainRetryAfter(value: unknown): RetryAfter | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') return plainText(value);
  try {
    return value instanceof Date && !Number.isNaN(value.getTime()) ? value : null;
  } catch {
    return null; // an object that only imitates a date
  }
}

function plainLines(value: unknown): readonly string[] {
  try {
    if (!Array.isArray(value) || value.length === 0) return Array.isArray(value) ? value : NO_LINES;
    const lines = value.slice(0, MAX_LINES).map((line) => plainText(line, MAX_LINE) ?? '');
    if (value.length > MAX_LINES) lines[MAX_LINES - 1] = `… ${value.length - MAX_LINES + 1} more`;
    return lines.length === value.length && lines.every((line, i) => line === value[i]) ? value : lines;
  } catch {
    return NO_LINES;
  }
}

function plainOrchestration(value: unknown, leftOut: Fields): OrchestrationMetadata | null {
  if (value === undefined || value === null) return null;
  const name = 'orchestration_metadata';
  try {
    const stored = storableJson(storedOrchestrationMetadata(value), { name, maxBytes: MAX_FAILURE_METADATA });
    if (stored.ok) return value;
    leftOut.orchestration_metadata_left_out = storableText(`${stored.path}: ${stored.reason}`, MAX_LINE);
  } catch {
    leftOut.orchestration_metadata_left_out = `${name}: cannot be read`;
  }
  return null;
}

/** Returns the metadata, with a note for each part that is omitted. */
function plainMetadata(value: unknown, leftOut: Fields): Fields {
  const stored = storableJson(value ?? {}, { name: 'metadata', maxBytes: MAX_FAILURE_METADATA });
  if (!stored.ok) leftOut.metadata_left_out = storableText(`${stored.path}: ${stored.reason}`, MAX_LINE);
  else if (Object.keys(leftOut).length === 0 && isFields(value)) return value;
  const kept: unknown = stored.ok ? JSON.parse(stored.json) : {};
  return { ...(isFields(kept) ? kept : { metadata: kept }), ...leftOut };
}

/** Returns whether there is any metadata. True for unreadable metadata, so that storing it records the reason. */
export function hasFields(metadata: object): boolean {
  try {
    for (const _ in metadata) return true;
    return false;
  } catch {
    return true;
  }
}

/** Returns the wait that a result requests. Null for other results, and for unreadable results. */
export function waitIn(result: { readonly wait?: StepWait | null }): StepWait | null {
  try {
    return result.wait ?? null;
  } catch {
    return null; // the result is a proxy that throws on access
  }
}
