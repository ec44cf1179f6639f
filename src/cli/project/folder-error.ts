import { messageOf, TaskerError } from '../../errors.ts';

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
