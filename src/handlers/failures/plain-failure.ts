import { type Fields, isFields } from '../../model/fields.ts';
import { storableJson } from '../../model/storable-json.ts';
import { type OrchestrationMetadata, storedOrchestrationMetadata } from '../orchestration-metadata.ts';
import type { RetryAfter } from '../retry-after.ts';
import { StepHandlerResult } from '../step-handler-result.ts';
import { read, storableText } from './thrown.ts';

// A handler written in JavaScript may put anything where a text or a number is expected. A failure that can't be stored
// would be recorded as a different failure, and a retryable one would never be retried.

/** Characters of a message, a type, a code. */
export const MAX_FAILURE_TEXT = 10_000;
const MAX_LINES = 100;
const MAX_LINE = 1_000;
/** Bytes. */
const MAX_METADATA = 1_048_576;

/**
 * Returns a failure whose fields can all be stored. Texts are cut, and characters that PostgreSQL refuses are removed.
 * A status that is not a number is left out, and metadata that JSON can't hold is replaced by the reason. Returns the
 * same object if nothing has to change. Never throws.
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
    return `something of type ${typeof value} that can't be read`;
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
    return null; // an object that only looks like a date
  }
}

const NO_LINES: readonly string[] = Object.freeze([]);

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
    const stored = storableJson(storedOrchestrationMetadata(value), { name, maxBytes: MAX_METADATA });
    if (stored.ok) return value;
    leftOut.orchestration_metadata_left_out = storableText(`${stored.path}: ${stored.reason}`, MAX_LINE);
  } catch {
    leftOut.orchestration_metadata_left_out = `${name}: it can't be read`;
  }
  return null;
}

/** The metadata, with a note of each part that is left out. */
function plainMetadata(value: unknown, leftOut: Fields): Fields {
  const stored = storableJson(value ?? {}, { name: 'metadata', maxBytes: MAX_METADATA });
  if (!stored.ok) leftOut.metadata_left_out = storableText(`${stored.path}: ${stored.reason}`, MAX_LINE);
  else if (Object.keys(leftOut).length === 0 && isFields(value)) return value;
  const kept: unknown = stored.ok ? JSON.parse(stored.json) : {};
  return { ...(isFields(kept) ? kept : { metadata: kept }), ...leftOut };
}

/** Whether there is any metadata. True if it can't be read, which is noted when it is written. */
export function hasFields(metadata: object): boolean {
  try {
    for (const _ in metadata) return true;
    return false;
  } catch {
    return true;
  }
}
