import { randomFillSync } from 'node:crypto';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const POOL = new Uint8Array(4096);
let used = POOL.length;
let lastMs = 0;
let counter = 0;

function hexOf(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++) text += HEX[bytes[i]!];
  return text;
}

/**
 * A UUID version 7 (RFC 9562): ids made by one process sort in the order in which they were made, because the twelve
 * bits after the time are a counter within the millisecond (method 1 of section 6.2).
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
  const time = lastMs.toString(16).padStart(12, '0');
  const variant = HEX[(POOL[used + 1]! & 0x3f) | 0x80]!;
  const text = `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${variant}${hexOf(POOL, used + 2, used + 3)}-${hexOf(POOL, used + 3, used + 9)}`;
  used += 9;
  return text;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a text is a UUID of any version. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/**
 * The id of a step: its task's id with the last 32 bits moved by the step's place in the task. It needs no column, and
 * task and place can be had back from it.
 */
export function stepUuid(taskUuid: string, idx: number): string {
  const low = (Number.parseInt(taskUuid.slice(28), 16) ^ (idx + 1)) >>> 0;
  return taskUuid.slice(0, 28) + low.toString(16).padStart(8, '0');
}

/** The place of a step in its task, from both ids; undefined when the step is of another task. */
export function stepIndex(taskUuid: string, stepId: string): number | undefined {
  if (stepId.slice(0, 28).toLowerCase() !== taskUuid.slice(0, 28).toLowerCase()) return undefined;
  const idx = ((Number.parseInt(taskUuid.slice(28), 16) ^ Number.parseInt(stepId.slice(28), 16)) >>> 0) - 1;
  return idx >= 0 && idx < 2 ** 31 ? idx : undefined;
}

/** A UUID (version 8, RFC 9562) out of a snapshot's digest: the same for every process. */
export function uuidOfDigest(digest: string): string {
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}
