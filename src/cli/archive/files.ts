import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, TaskerError } from '../../errors.ts';
import { inFolder } from '../this-run.ts';

/** Returns the archive files of a command, oldest first. A folder means all files in it. */
export async function archiveFiles(given: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const one of given) {
    const found = await stat(inFolder(one)).catch((cause: unknown) => {
      throw new TaskerError('bad_request', `cannot read ${one}: ${messageOf(cause)}`, { cause });
    });
    if (!found.isDirectory()) files.push(one);
    else {
      const names = (await readdir(inFolder(one))).filter((name) => /\.ndjson(\.gz)?(\.part)?$/.test(name)).sort();
      if (names.length === 0) throw new TaskerError('bad_request', `no archive files found in ${one}`);
      files.push(...names.map((name) => path.join(one, name)));
    }
  }
  return files;
}
