import { createHash, randomFillSync } from 'node:crypto';
import { TaskerError } from '../errors.ts';

/** The two hexadecimal digits of each byte, as ASCII codes. */
const HIGH = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0').charCodeAt(0));
const LOW = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0').charCodeAt(1));
/** The position in the text at which each of the 16 bytes begins. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
/** The buffer for the id. Its text is one flat string, while concatenation would build a tree of parts. */
const TEXT = Buffer.from('00000000-0000-0000-0000-000000000000', 'latin1');
const POOL = new Uint8Array(4096);
let used = POOL.length;
let lastMs = 0;
let counter = 0;

function write(index: number, byte: number): void {
  const place = PLACES[index]!;
  TEXT[place] = HIGH[byte]!;
  TEXT[place + 1] = LOW[byte]!;
}

/**
 * Returns a new UUID version 7 (RFC 9562). Ids from one process sort in the order of their creation: the twelve bits
 * after the time are a counter within the millisecond (method 1 of section 6.2).
 */
export function uuidV7(now: number = Date.now()): string {
  if (used + 9 > POOL.length) {
    randomFillSync(POOL);
    used = 0;
  }
  if (now > lastMs) {
    lastMs = now;
    counter = ((POOL[used]! << 8) | POOL[used + 1]!) & 0x3ff;
  } else if (++counter > 0xfff) {
    lastMs++;
    counter = 0;
  }
  // A division, because shifts work on 32 bits only.
  const high = Math.floor(lastMs / 2 ** 16);
  write(0, (high >>> 24) & 0xff);
  write(1, (high >>> 16) & 0xff);
  write(2, (high >>> 8) & 0xff);
  write(3, high & 0xff);
  write(4, (lastMs >>> 8) & 0xff);
  write(5, lastMs & 0xff);
  write(6, 0x70 | (counter >>> 8));
  write(7, counter & 0xff);
  write(8, (POOL[used + 1]! & 0x3f) | 0x80);
  for (let i = 9; i < 16; i++) write(i, POOL[used + i - 7]!);
  used += 9;
  return TEXT.toString('latin1');
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Returns whether a string is a UUID of any version. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/**
 * Returns the id in lower case, as the database writes it. Checks the id first, because the database's own message is
 * less clear.
 * @throws TaskerError `invalid_uuid`
 */
export function checkUuid(id: string, what: string): string {
  if (typeof id !== 'string' || !isUuid(id))
    throw new TaskerError('invalid_uuid', `${what} is not a UUID: ${String(id)}`);
  return id.toLowerCase();
}

/**
 * Returns the id of a step: the id of its task, with the last 32 bits changed by the index of the step. The id needs no
 * column, and {@link stepIndex} computes the index from it.
 */
export function stepUuid(taskUuid: string, idx: number): string {
  const low = (Number.parseInt(taskUuid.slice(28), 16) ^ (idx + 1)) >>> 0;
  return taskUuid.slice(0, 28) + low.toString(16).padStart(8, '0');
}

/** Returns the index of a step in its task, from both ids. Undefined if the step belongs to another task. */
export function stepIndex(taskUuid: string, stepId: string): number | undefined {
  if (stepId.slice(0, 28).toLowerCase() !== taskUuid.slice(0, 28).toLowerCase()) return undefined;
  const idx = ((Number.parseInt(taskUuid.slice(28), 16) ^ Number.parseInt(stepId.slice(28), 16)) >>> 0) - 1;
  return idx >= 0 && idx < 2 ** 31 ? idx : undefined;
}

/** Returns a UUID (version 8, RFC 9562) for the digest of a snapshot. The UUID is the same in every process. */
export function uuidOfDigest(digest: string): string {
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}

const BITS = 17;

/** Indexes below this one belong to template steps, the others to batch workers. */
export const FIRST_WORKER_INDEX = 1 << BITS;
/** Maximum number of workers in a batch, because a worker's number has {@link BITS} bits. */
export const MAX_WORKERS = 1 << BITS;

/**
 * Returns the index of the template step behind a step: its own index, or the step that a batch worker is created from.
 * The index of a batch worker is (template step + 1) << 17 | number. The graph is therefore stored once per template
 * instead of once per worker.
 *
 * @example
 * templateIndex(4); // 4
 * templateIndex((5 << 17) | 17); // 4: worker number 17 of the batch that is created from step 4
 */
export function templateIndex(idx: number): number {
  return idx < FIRST_WORKER_INDEX ? idx : (idx >> BITS) - 1;
}

/** Returns whether a step is a batch worker. */
export function isWorkerIndex(idx: number): boolean {
  return idx >= FIRST_WORKER_INDEX;
}

/** Returns the index of a batch worker, from its template step and its number. */
export function workerIndex(templateIdx: number, number: number): number {
  return ((templateIdx + 1) << BITS) + number;
}

/** The values from which the identity of a task is computed. */
export interface IdentityInput {
  namespace: string;
  name: string;
  version: string;
  strategy: 'strict' | 'caller_provided' | 'always_unique';
  idempotencyKey: string | null;
  /** JSON text. */
  context: string;
}

/** Returns JSON text with sorted keys, so that equal values have equal texts. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}

/**
 * Returns a function that computes the identity of a task as SHA-256 in hex, for a version of its template. Null if the
 * task has no identity. A key in the request overrides any strategy. `strict` uses the context with sorted keys.
 * `missing`: the strategy requires a key and there is none.
 */
export function identityIn(input: Omit<IdentityInput, 'version'>): ((version: string) => string) | null | 'missing' {
  const { namespace, name, strategy, idempotencyKey } = input;
  if (idempotencyKey === null && strategy === 'always_unique') return null;
  if (idempotencyKey === null && strategy === 'caller_provided') return 'missing';
  const [kind, value] =
    idempotencyKey === null ? ['context', canonical(JSON.parse(input.context))] : ['idempotency_key', idempotencyKey];
  // The text is JSON of a list. The parts that are the same for all versions are written once.
  const before = JSON.stringify([namespace, name]).slice(0, -1);
  const after = JSON.stringify([kind, value]).slice(1);
  return (version) =>
    createHash('sha256')
      .update(`${before},${JSON.stringify(version)},${after}`)
      .digest('hex');
}

/** Returns the identity of a task of one version. See {@link identityIn}. */
export function identityHash(input: IdentityInput): string | null | 'missing' {
  const identity = identityIn(input);
  return typeof identity === 'function' ? identity(input.version) : identity;
}
