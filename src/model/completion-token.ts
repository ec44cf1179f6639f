import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** The attempt that a token completes. */
export interface TokenOf {
  taskUuid: string;
  idx: number;
  attempt: number;
}

/** The prefix of every token, by which scanners can find leaked tokens. */
const PREFIX = 'tskr_';
const SECRET_BYTES = 32;
const BYTES = 16 + 4 + 4 + SECRET_BYTES;

/** Returns the random part of a new token. */
export function newTokenSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** Returns the hash of the random part, in hex. Only this hash is stored. */
export function tokenSecretHash(secret: Buffer): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Returns the text of a token, which needs no quoting in a URL. */
export function tokenText({ taskUuid, idx, attempt }: TokenOf, secret: Buffer): string {
  const head = Buffer.alloc(24);
  Buffer.from(taskUuid.replaceAll('-', ''), 'hex').copy(head);
  head.writeUInt32BE(idx, 16);
  head.writeUInt32BE(attempt, 20);
  return PREFIX + Buffer.concat([head, secret]).toString('base64url');
}

/** Reads the text of a token. Undefined if it is not one. */
export function readTokenText(text: unknown): (TokenOf & { secret: Buffer }) | undefined {
  if (typeof text !== 'string' || !/^tskr_[\w-]{75}$/.test(text)) return undefined;
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
  if (bytes.length !== BYTES) return undefined;
  const hex = bytes.toString('hex', 0, 16);
  const taskUuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const [idx, attempt] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  // No step has numbers that the database cannot store.
  if (idx > 0x7fffffff || attempt > 0x7fffffff) return undefined;
  return { taskUuid, idx, attempt, secret: bytes.subarray(24) };
}

/** Compares hashes in hex, in a time that does not depend on where they differ. `stored`: undefined matches nothing. */
export function sameHash(stored: string | undefined, given: string): boolean {
  const known = Buffer.from(stored ?? '0'.repeat(64), 'hex');
  const same = timingSafeEqual(known, Buffer.from(given, 'hex'));
  return same && stored !== undefined;
}
