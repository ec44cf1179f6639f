import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { defineHandler, PermanentError } from 'tasker-core';

/** Reads one file of the folder that the task names; which one, the template says in the step's `initialization`. */
export const fetchFile = defineHandler(
  'pipeline.fetch',
  { inputs: { folder: 'folder' } },
  async ({ folder, context, signal }) => {
    const name = context.getConfig('file');
    // Neither can change by itself, so to try again would not help.
    if (typeof folder !== 'string') throw new PermanentError('the task names no folder');
    if (typeof name !== 'string') throw new PermanentError('the template names no file');
    const text = await readFile(path.join(folder, name), { encoding: 'utf8', signal });
    const [heading = '', ...rows] = text.trimEnd().split('\n');
    const fields = heading.split(',');
    return { items: rows.map((row) => Object.fromEntries(row.split(',').map((cell, i) => [fields[i], cell]))) };
  },
);
