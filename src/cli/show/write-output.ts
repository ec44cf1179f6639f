import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { folderError } from '../project/folder-error.ts';

/** Writes a file that a command was told to make, its folder too. @throws TaskerError `folder_not_writable` */
export function writeOutput(file: string, text: string): void {
  try {
    mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
    writeFileSync(file, text);
  } catch (error) {
    throw folderError(file, error);
  }
}
