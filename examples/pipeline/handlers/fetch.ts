import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { defineHandler, PermanentError } from 'tasker-core';

/** Reads a file in the folder that the task names. The step's `initialization` in the template names the file. */
export const fetchFile = defineHandler(
  'pipeline.fetch',
  { inputs: { folder: 'folder' } },
  async ({ folder, context, signal }) => {
    const name = context.getConfig('file');
    // A retry would fail in the same way.
    if (typeof folder !== 'string') throw new PermanentError('the task has no folder in its context');
    if (typeof name !== 'string') throw new PermanentError('the step has no file in its initialization');
    const text = await readFile(path.join(folder, name), { encoding: 'utf8', signal });
    const [heading = '', ...rows] = text.trimEnd().split('\n');
    const fields = heading.split(',');
    return { items: rows.map((row) => Object.fromEntries(row.split(',').map((cell, i) => [fields[i], cell]))) };
  },
);
