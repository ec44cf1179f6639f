import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { messageOf, TaskerError } from '../../errors.ts';

/** Writes a file that a command was told to make, its folder too. @throws TaskerError `folder_not_writable` */
export function writeOutput(file: string, text: string): void {
  try {
    mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
    writeFileSync(file, text);
  } catch (error) {
    throw folderError(file, error);
  }
}

/** What writing into a folder came to, as an error that names it. */
export function folderError(folder: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof TaskerError || code === undefined) return error;
  return new TaskerError(
    'folder_not_writable',
    `${folder}: ${messageOf(error)}; give the right to write there, or make room`,
    {
      cause: error,
    },
  );
}
