import { closeSync, openSync, readSync, statfsSync, statSync } from 'node:fs';
import { TaskerError } from '../../errors.ts';
import type { EmbeddedFolder } from './embedded-folder.ts';

const TAIL_BYTES = 4096;
const TAIL_LINES = 12;
const FULL_BELOW_BYTES = 1024 * 1024;

/** The error of a server that did not come up: why, its last words, and where to read the rest. */
export function serverFailure(folder: EmbeddedFolder, why: string, logFrom: number): TaskerError {
  const lastWords = readTail(folder.log, logFrom);
  const full = isFull(folder.home) ? `; the disk that holds ${folder.home} is full, make room` : '';
  return new TaskerError(
    'embedded_failed',
    `the embedded PostgreSQL in ${folder.home} did not start: ${why}${full}; its log is ${folder.log}` +
      (lastWords ? `, which ends with:\n${lastWords}` : ''),
    { details: { log: folder.log, lastWords } },
  );
}

/** The last lines of a log, from an offset on. */
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

/** Whether the disk that holds a folder is as good as full. */
export function isFull(folder: string): boolean {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize < FULL_BELOW_BYTES;
}
