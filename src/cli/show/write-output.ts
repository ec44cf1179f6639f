import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { messageOf, TaskerError } from '../../errors.ts';
import { inFolder } from '../this-run.ts';

/** Writes the output file of a command, and creates its folder. @throws TaskerError `folder_not_writable` */
export function writeOutput(file: string, text: string): void {
  try {
    mkdirSync(path.dirname(path.resolve(inFolder(file))), { recursive: true });
    writeFileSync(inFolder(file), text);
  } catch (error) {
    throw folderError(file, error);
  }
}

/** Converts the error of a failed write into one that names the folder. */
export function folderError(folder: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof TaskerError || code === undefined) return error;
  return new TaskerError(
    'folder_not_writable',
    `cannot write to ${folder}: ${messageOf(error)}; grant write permission or free disk space`,
    {
      cause: error,
    },
  );
}
