import { TaskerError } from '../../errors.ts';
import { isUuid } from '../../model/ids.ts';

/** A row of a table, with names of columns in snake case. */
export type ArchivedRow = Readonly<Record<string, unknown>>;

/** A task in an archive. */
export interface ArchivedTask {
  taskUuid: string;
  /** The format version of the line. */
  format: number;
  archivedAt: string;
  template: { namespace: string; name: string; version: string; digest: string };
  /** Its identity as SHA-256 in hex; null if it has none. */
  identity: string | null;
  /** The request that created it, if it had the header `Idempotency-Key`: the hash of the key, and its digest, in hex. */
  request: { keyHash: string | null; digest: string } | null;
  task: ArchivedRow;
  /** The rows of all tables that belong to the task: `steps`, `history`, `events`, `step_logs` and others. */
  lists: Readonly<Record<string, readonly ArchivedRow[]>>;
  /** The line of the file. */
  line: string;
}

/** Reads a line of an archive file. @throws TaskerError `bad_request` if it is not a task */
export function archivedTask(line: string, file: string): ArchivedTask {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(line) as Record<string, unknown>;
  } catch (cause) {
    throw notATask(file, cause);
  }
  const {
    task_uuid: taskUuid,
    format,
    archived_at: archivedAt,
    template,
    identity,
    request,
    task,
    ...lists
  } = value ?? {};
  const known = typeof taskUuid === 'string' && isUuid(taskUuid) && typeof format === 'number';
  if (!known || !isRow(template) || !isRow(task)) throw notATask(file, undefined);
  return {
    taskUuid,
    format,
    archivedAt: String(archivedAt),
    template: template as unknown as ArchivedTask['template'],
    identity: typeof identity === 'string' ? identity : null,
    request: requestOf(request),
    task,
    lists: Object.fromEntries(Object.entries(lists).filter((pair): pair is [string, ArchivedRow[]] => isList(pair[1]))),
    line,
  };
}

function requestOf(request: unknown): ArchivedTask['request'] {
  if (!isRow(request) || typeof request.digest !== 'string') return null;
  const { key_hash: keyHash, digest } = request;
  return { keyHash: typeof keyHash === 'string' ? keyHash : null, digest: digest as string };
}

function isRow(value: unknown): value is ArchivedRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: unknown): value is ArchivedRow[] {
  return Array.isArray(value) && value.every(isRow);
}

function notATask(file: string, cause: unknown): TaskerError {
  return new TaskerError(
    'bad_request',
    `${file} is not an archive: a line is not a task; \`tasker db prune --archive\` writes archives`,
    { cause },
  );
}
