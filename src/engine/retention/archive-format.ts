import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createGunzip, deflateRaw, gunzip } from 'node:zlib';
import { messageOf, TaskerError } from '../../errors.ts';

// An archive file is a series of gzip members, so gunzip and zcat can read it. Each member has lines of whole tasks,
// and its own length in an extra field of its header. So a reader can check that a member is complete before it uses a
// line.

const HEADER = 20;
const TRAILER = 8;
/** The flag FEXTRA of gzip: the header has an extra field. */
const FLAGS = 4;
const FIELD = [0x54, 0x4b] as const; // TK
const deflated = promisify(deflateRaw) as (text: Buffer) => Promise<Buffer>;
const inflated = promisify(gunzip) as (member: Buffer) => Promise<Buffer>;

/** Packs lines into a gzip member. */
export async function packLines(lines: readonly string[]): Promise<Buffer> {
  const text = Buffer.from(`${lines.join('\n')}\n`);
  const body = await deflated(text);
  const member = Buffer.alloc(HEADER + body.length + TRAILER);
  member.set([0x1f, 0x8b, 8, FLAGS, 0, 0, 0, 0, 0, 255, 8, 0, ...FIELD, 4, 0]);
  member.writeUInt32LE(member.length, 16);
  body.copy(member, HEADER);
  member.writeUInt32LE(crc32(text), HEADER + body.length);
  member.writeUInt32LE(text.length % 2 ** 32, HEADER + body.length + 4);
  return member;
}

/** Returns the length of a member from its header; undefined if it is not one of {@link packLines}. */
function lengthOf(header: Buffer): number | undefined {
  const [a, b, method, flags] = header;
  if (header.length < HEADER || a !== 0x1f || b !== 0x8b || method !== 8 || flags !== FLAGS) return undefined;
  if (header.readUInt16LE(10) !== 8 || header[12] !== FIELD[0] || header[13] !== FIELD[1]) return undefined;
  return header.readUInt32LE(16);
}

/** A defect of an archive file. All lines before it are intact. */
export interface ArchiveDamage {
  /**
   * `incomplete`: the file ends within a task, for example because the process was killed. `damaged`: its content was
   * changed.
   */
  kind: 'incomplete' | 'damaged';
  why: string;
}

/**
 * Reads the lines of an archive file, of a file that was packed again with gzip, or of its unpacked text.
 * @param options `end`: the length up to which the file is valid, by default its whole length. `damaged` is called after all
 *   intact lines if something is wrong with the file
 * @throws TaskerError `bad_request` if there is no such file
 */
export async function* readLines(
  path: string,
  { end, damaged }: { end?: number | undefined; damaged(damage: ArchiveDamage): void },
): AsyncGenerator<string[], void> {
  const damage = yield* intactLines(path, end ?? Number.POSITIVE_INFINITY);
  if (damage) damaged(damage);
}

async function* intactLines(path: string, end: number): AsyncGenerator<string[], ArchiveDamage | undefined> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new TaskerError('bad_request', `cannot read the archive ${path}: ${messageOf(cause)}`, { cause });
  });
  try {
    const size = Math.min(end, (await file.stat()).size);
    for (let at = 0; at < size; ) {
      const header = await readAt(file, at, Math.min(HEADER, size - at));
      const length = lengthOf(header);
      if (length === undefined) {
        if (at > 0 || !isForeign(header)) return brokenHeader(header, at, size);
        return yield* foreignLines(path, header[0] === 0x1f);
      }
      if (at + length > size) return incomplete(at, size);
      let text: string;
      try {
        text = (await inflated(await readAt(file, at, length))).toString();
      } catch (error) {
        return { kind: 'damaged', why: `the part at byte ${at} is damaged: ${messageOf(error)}` };
      }
      yield text.split('\n').filter((line) => line !== '');
      at += length;
    }
    return undefined;
  } finally {
    await file.close();
  }
}

function incomplete(at: number, size: number): ArchiveDamage {
  return { kind: 'incomplete', why: `the last part, from byte ${at} of ${size}, was not written completely` };
}

/** Returns the defect of a file that ends within a header, or that has other data after a member. */
function brokenHeader(header: Buffer, at: number, size: number): ArchiveDamage {
  if (header.length < HEADER && header.every((byte, i) => i > 1 || byte === [0x1f, 0x8b][i]))
    return incomplete(at, size);
  if (header.every((byte) => byte === 0)) return incomplete(at, size);
  return { kind: 'damaged', why: `no archive found at byte ${at}` };
}

function isForeign(header: Buffer): boolean {
  return (header[0] === 0x1f && header[1] === 0x8b) || header[0] === 0x7b;
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(buffer, done, length - done, at + done);
    if (bytesRead === 0) return buffer.subarray(0, done);
    done += bytesRead;
  }
  return buffer;
}

const LINES_AT_ONCE = 100;

/** Reads gzip without lengths, or plain text, as a stream. */
async function* foreignLines(path: string, packed: boolean): AsyncGenerator<string[], ArchiveDamage | undefined> {
  const source = createReadStream(path);
  let broken: Error | undefined;
  const unpacked: Readable = packed ? source.pipe(createGunzip()) : source;
  unpacked.on('error', (error) => (broken = error));
  const lines = createInterface({ input: unpacked, crlfDelay: Number.POSITIVE_INFINITY });
  let some: string[] = [];
  try {
    for await (const line of lines) {
      if (line !== '') some.push(line);
      // The last line may be incomplete, so it waits for more data.
      if (some.length > LINES_AT_ONCE) yield some.splice(0, LINES_AT_ONCE);
    }
  } catch (error) {
    broken = error as Error;
  } finally {
    source.destroy();
  }
  const last = some.at(-1);
  const cut = last !== undefined && !isJson(last);
  if (cut) some = some.slice(0, -1);
  if (some.length > 0) yield some;
  if (broken && !/unexpected end of file/.test(broken.message)) return { kind: 'damaged', why: broken.message };
  return broken || cut ? { kind: 'incomplete', why: 'the file ends within a task' } : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
