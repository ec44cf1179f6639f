import { LONGEST_DURATION_MS } from '../model/duration.ts';
import { type Fields, isFields, storableJson } from '../model/json.ts';
import { misuse, shown } from './misuse.ts';

/** Options of `completeLater`. */
export interface CompleteLaterOptions {
  /**
   * How long the step waits for its completion, in milliseconds. After that, the attempt fails, and the retry policy of
   * the step applies. Default: no limit.
   */
  timeoutMs?: number | null;
  /** Shown with the wait, for example the id of the job in the other system. At most 64 KiB as JSON. */
  metadata?: Fields;
}

/** Options of `notYet`. */
export interface NotYetOptions {
  /** Milliseconds until the handler is called again. */
  retryInMs: number;
  /**
   * The position to resume from: any JSON value, read as `context.checkpointCursor`. An object with `cursor` is the whole
   * progress, as in `context.checkpoint(…)`. Default: the last saved checkpoint.
   */
  checkpoint?: unknown;
}

/** The wait of a step whose handler has returned without a result. */
export type StepWait =
  | { readonly kind: 'completion'; readonly timeoutMs: number | null; readonly metadata: Fields }
  | { readonly kind: 'call'; readonly retryInMs: number; readonly checkpoint?: unknown };

/** Bytes. */
const MAX_METADATA = 64 * 1024;

/** Checks the options of `completeLater`. @throws PermanentError `validation_error` */
export function completionWait(options: CompleteLaterOptions = {}): StepWait {
  refuseUnknown('completeLater', options, ['timeoutMs', 'metadata']);
  const { timeoutMs = null, metadata = {} } = options;
  if (timeoutMs !== null) checkDuration('completeLater', 'timeoutMs', timeoutMs);
  if (!isFields(metadata)) throw misuse(`completeLater: metadata must be an object, not ${shown(metadata)}`);
  const stored = storableJson(metadata, { name: 'metadata', maxBytes: MAX_METADATA });
  if (!stored.ok) throw misuse(`completeLater: ${stored.path}: ${stored.reason}`);
  return { kind: 'completion', timeoutMs, metadata: JSON.parse(stored.json) as Fields };
}

/** Checks the options of `notYet`. @throws PermanentError `validation_error` */
export function callWait(options: NotYetOptions): StepWait {
  refuseUnknown('notYet', options, ['retryInMs', 'checkpoint']);
  const { retryInMs, checkpoint } = options;
  if (retryInMs === undefined)
    throw misuse('notYet: retryInMs is missing; pass the number of milliseconds until the next call of the handler');
  checkDuration('notYet', 'retryInMs', retryInMs);
  return checkpoint === undefined ? { kind: 'call', retryInMs } : { kind: 'call', retryInMs, checkpoint };
}

function refuseUnknown(where: string, options: unknown, known: readonly string[]): void {
  if (!isFields(options)) throw misuse(`${where}: takes an object with ${known.join(' and ')}, not ${shown(options)}`);
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) throw misuse(`${where}: unknown option ${unknown}; the options are ${known.join(', ')}`);
}

function checkDuration(where: string, name: string, value: unknown): void {
  if (typeof value !== 'number' || !(value > 0)) {
    throw misuse(`${where}: ${name} must be a number of milliseconds greater than 0, not ${shown(value)}`);
  }
  if (value > LONGEST_DURATION_MS) {
    throw misuse(`${where}: ${name} is ${value} ms, which is more than the maximum of 366,000 days`);
  }
}
