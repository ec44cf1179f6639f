import path from 'node:path';
import { opening } from '../../db/opening.ts';
import { TaskerError } from '../../errors.ts';
import { checkUuid } from '../../model/ids.ts';
import { noteAct } from '../../store/audit.ts';
import { findArchiveFile } from '../../store/retention/archive-files.ts';
import { ARCHIVE_FORMAT } from '../../store/retention/archive-tasks.ts';
import {
  type RestoredColumns,
  restoredColumns,
  restoreIdentities,
  restoreTasks,
  snapshotOfDigest,
} from '../../store/retention/restore-tasks.ts';
import type { Engine } from '../engine.ts';
import { type OperatorOptions, operatorOf } from '../operator-actions.ts';
import { type ArchiveDamage, readLines } from './archive-format.ts';
import { PARTIAL } from './archive-writer.ts';
import { type ArchivedTask, archivedTask } from './archived-task.ts';

/** Options of a {@link RestoreAct}. */
export interface RestoreOptions extends OperatorOptions {
  /** Only these tasks. Default: all tasks of the file. */
  tasks?: readonly string[] | undefined;
  /** Stops after the transaction in progress. */
  signal?: AbortSignal | undefined;
}

/** The progress of a restore. */
export interface RestoreProgress {
  /** Number of tasks that were read and selected. */
  read: number;
  restored: number;
  /** Number of tasks that were already in the database, and are not changed. */
  existing: number;
}

/** The outcome of a restore. */
export interface RestoreReport extends RestoreProgress {
  /** Restored tasks whose identity now belongs to another task, so they have none: the first ten. */
  withoutIdentity: string[];
  /** Tasks that were not restored: the first ten. */
  failures: { taskUuid: string; why: string }[];
  failed: number;
  /** The defect of the file. Null if it has none. All tasks before it are restored. */
  damage: ArchiveDamage | null;
}

const RESTORING = opening({
  lock_timeout: '10s',
  statement_timeout: '120s',
  idle_in_transaction_session_timeout: '60s',
  jit: 'off',
});
const TASKS_AT_ONCE = 100;
const CHARACTERS_AT_ONCE = 8 * 1024 * 1024;
const SHOWN = 10;

/**
 * Restores archived tasks. Iterate over it to restore and to follow the progress, or await {@link result}. A task that
 * is already in the database is not changed, so a restore can be repeated.
 *
 * @example
 * const { restored, existing } = await tasker.restoreArchive('/var/archive/tasks-….ndjson.gz').result();
 */
export class RestoreAct implements AsyncIterable<RestoreProgress> {
  readonly #engine: Engine;
  readonly #file: string;
  readonly #options: RestoreOptions;
  readonly #wanted: ReadonlySet<string> | undefined;
  #working: AsyncGenerator<RestoreProgress> | undefined;
  readonly #snapshots = new Map<string, number | undefined>();
  readonly #columns = new Map<string, RestoredColumns>();
  readonly #report: RestoreReport = {
    read: 0,
    restored: 0,
    existing: 0,
    failed: 0,
    withoutIdentity: [],
    failures: [],
    damage: null,
  };

  /** @internal */
  constructor(engine: Engine, file: string, options: RestoreOptions) {
    this.#engine = engine;
    this.#file = file;
    this.#options = options;
    this.#wanted = options.tasks && new Set(options.tasks.map((id) => checkUuid(id, 'the task id')));
  }

  /** Returns the outcome. Runs the restore first, unless an iteration has already started it. */
  async result(): Promise<RestoreReport> {
    if (!this.#working) for await (const _ of this);
    return this.#report;
  }

  [Symbol.asyncIterator](): AsyncIterator<RestoreProgress> {
    if (this.#working)
      throw new TaskerError('bad_request', 'a restore can be iterated only once; await its result() instead');
    this.#working = this.#work();
    return this.#working;
  }

  async *#work(): AsyncGenerator<RestoreProgress> {
    const { database, search } = this.#engine;
    const operator = operatorOf(this.#options);
    const name = path.basename(this.#file).replace(PARTIAL, '');
    // A process that was killed may have written more than it has deleted.
    const known = await findArchiveFile(database, name);
    const reading = { end: known?.bytes, damaged: (damage: ArchiveDamage) => (this.#report.damage = damage) };
    for await (const lines of readLines(this.#file, reading)) {
      for (const some of portionsOf(lines)) {
        this.#options.signal?.throwIfAborted();
        await this.#restore(some);
        const { read, restored, existing } = this.#report;
        yield { read, restored, existing };
      }
    }
    await search.flush();
    const { restored, existing, failed } = this.#report;
    const details = JSON.stringify({ restored, existing, failed });
    if (restored > 0) await noteAct(database, { action: 'restore', target: `archive ${name}`, details }, operator);
  }

  async #restore(lines: readonly string[]): Promise<void> {
    const tasks = lines.map((line) => archivedTask(line, this.#file)).filter((task) => this.#isWanted(task));
    this.#report.read += tasks.length;
    const known: (ArchivedTask & { line: string; templateId: number })[] = [];
    for (const task of tasks) {
      const templateId = await this.#snapshotOf(task);
      if (templateId !== undefined) known.push({ ...task, templateId });
    }
    if (known.length === 0) return;
    const { database, search } = this.#engine;
    const columns = await this.#columnsOf(known);
    const { restored, owning } = await database.transaction(RESTORING, async (tx) => {
      const restored = new Set(await restoreTasks(tx, known, columns));
      const identities = known.flatMap(({ taskUuid, identity, request }) =>
        identity !== null && restored.has(taskUuid)
          ? [{ taskUuid, hash: identity, requestHash: request?.keyHash ?? null, digest: request?.digest ?? null }]
          : [],
      );
      const owning = identities.length > 0 ? new Set(await restoreIdentities(tx, identities)) : new Set<string>();
      return { restored, owning };
    });
    for (const { taskUuid, identity } of known) {
      if (!restored.has(taskUuid)) continue;
      search.changed(taskUuid);
      if (identity === null || owning.has(taskUuid) || this.#report.withoutIdentity.length >= SHOWN) continue;
      this.#report.withoutIdentity.push(taskUuid);
    }
    this.#report.restored += restored.size;
    this.#report.existing += known.length - restored.size;
  }

  /** The rows of one table have the same keys, unless the schema has changed between the prunes of a file. */
  async #columnsOf(tasks: readonly ArchivedTask[]): Promise<RestoredColumns> {
    const keys = keysOf(tasks);
    const signature = JSON.stringify(keys);
    const columns = this.#columns.get(signature) ?? (await restoredColumns(this.#engine.database, keys));
    this.#columns.set(signature, columns);
    return columns;
  }

  #isWanted({ taskUuid }: ArchivedTask): boolean {
    return this.#wanted === undefined || this.#wanted.has(taskUuid);
  }

  /** Looks up the snapshot of the template in this database, which may not be the database of the archive. */
  async #snapshotOf({ taskUuid, template, format }: ArchivedTask): Promise<number | undefined> {
    const name = `${template.namespace}/${template.name}@${template.version}`;
    const key = `${name} ${template.digest}`;
    if (!this.#snapshots.has(key)) {
      this.#snapshots.set(key, await snapshotOfDigest(this.#engine.database, template));
    }
    const id = format > ARCHIVE_FORMAT ? undefined : this.#snapshots.get(key);
    if (id !== undefined) return id;
    this.#report.failed++;
    const why =
      format > ARCHIVE_FORMAT
        ? 'it was written by a later version of tasker-core'
        : `its template ${name} (digest ${template.digest.slice(0, 12)}) is not registered in this database`;
    if (this.#report.failures.length < SHOWN) this.#report.failures.push({ taskUuid, why });
    return undefined;
  }
}

/** The columns of the rows in an archive, by their list. */
function keysOf(tasks: readonly ArchivedTask[]): Record<string, string[]> {
  const keys: Record<string, string[]> = { task: Object.keys(tasks[0]!.task) };
  for (const { lists } of tasks) {
    for (const [list, rows] of Object.entries(lists)) if (rows[0]) keys[list] ??= Object.keys(rows[0]);
  }
  return keys;
}

/** Splits lines into one list per transaction. */
function* portionsOf(lines: readonly string[]): Generator<string[]> {
  let some: string[] = [];
  let characters = 0;
  for (const line of lines) {
    if (some.length > 0 && (some.length >= TASKS_AT_ONCE || characters + line.length > CHARACTERS_AT_ONCE)) {
      yield some;
      some = [];
      characters = 0;
    }
    some.push(line);
    characters += line.length;
  }
  if (some.length > 0) yield some;
}
