import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import type { z } from 'zod';

/** Writes a file and flushes it to disk, so that a rename never exposes an incomplete file. */
export function writeSynced(file: string, content: string, { mode }: { mode: number }): void {
  writeFileSync(file, content, { mode, flush: true });
}

/** Flushes a file, or the entries of a folder, to disk, so that they survive a crash of the machine. */
export function syncFile(file: string): void {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const descriptor = openSync(file, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Reads a file. Returns undefined if it does not exist. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Reads a JSON file. Returns undefined if it does not exist. A power failure can leave it unreadable. */
export function readRecord<T>(file: string, form: z.ZodType<T>): T | 'unreadable' | undefined {
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return form.safeParse(JSON.parse(text)).data ?? 'unreadable';
  } catch {
    return 'unreadable'; // not valid JSON
  }
}
