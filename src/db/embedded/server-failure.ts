import { closeSync, openSync, readSync, statfsSync, statSync } from 'node:fs';
import { TaskerError } from '../../errors.ts';
import type { EmbeddedFolder } from './embedded-folder.ts';

const TAIL_BYTES = 4096;
const TAIL_LINES = 12;
const FULL_BELOW_BYTES = 1024 * 1024;

/** Returns the error for a server that did not start, with the reason, the end of its log and the path of the log. */
export function serverFailure(folder: EmbeddedFolder, why: string, logFrom: number): TaskerError {
  const logTail = readTail(folder.log, logFrom);
  const full = isFull(folder.home) ? `; the disk of ${folder.home} is full, free some space` : '';
  return new TaskerError(
    'embedded_failed',
    `the embedded PostgreSQL in ${folder.home} did not start: ${why}${full}; its log is ${folder.log}` +
      (logTail ? `, which ends with:\n${logTail}` : ''),
    { details: { log: folder.log, logTail } },
  );
}

/** Returns the last lines of a log after an offset. */
function readTail(file: string, from: number): string {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const start = Math.max(from, size - TAIL_BYTES);
  if (size <= start) return '';
  const descriptor = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(size - start);
    const length = readSync(descriptor, buffer, 0, buffer.length, start);
    return buffer.toString('utf8', 0, length).trim().split('\n').slice(-TAIL_LINES).join('\n');
  } finally {
    closeSync(descriptor);
  }
}

/** Returns whether the disk of a folder is almost full. */
export function isFull(folder: string): boolean {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize < FULL_BELOW_BYTES;
}
