import { messageOf, TaskerError } from '../../errors.ts';

const NOT_WRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR']);

/** Turns whatever went wrong in a folder into one error that names it and the way out. */
export function asEmbeddedError(folder: string, error: unknown): TaskerError {
  if (error instanceof TaskerError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (NOT_WRITABLE.has(code)) return folderNotWritable(folder, messageOf(error), error);
  return new TaskerError('embedded_failed', `the embedded database in ${folder}: ${messageOf(error)}`, {
    cause: error,
    details: { folder },
  });
}

/** The error for a folder that we, or the server's user, cannot use. */
export function folderNotWritable(folder: string, why: string, cause?: unknown): TaskerError {
  return new TaskerError(
    'folder_not_writable',
    `the embedded database cannot use the folder ${folder}: ${why}; ` +
      'make room or give the right to write there, name another folder, or set DATABASE_URL',
    { cause, details: { folder } },
  );
}
