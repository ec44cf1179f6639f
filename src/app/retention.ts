import path from 'node:path';
import type { TaskerConfig } from '../config/config-keys.ts';
import { DEFAULTS } from '../config/defaults.ts';
import type { Engine } from '../engine/engine.ts';
import { type OperatorOptions, operatorOf } from '../engine/operator-actions.ts';
import { type ArchiveDamage, readLines } from '../engine/retention/archive-format.ts';
import { type ArchivedTask, archivedTask } from '../engine/retention/archived-task.ts';
import { checkPruneFilter, type PruneFilter, planOfFilter } from '../engine/retention/plan.ts';
import type { RetentionPolicy } from '../engine/retention/policy.ts';
import { PruneAct } from '../engine/retention/prune-act.ts';
import { TaskerError } from '../errors.ts';

type RetentionConfig = Pick<
  TaskerConfig,
  'retentionMs' | 'retentionRules' | 'retentionArchive' | 'retentionReleaseKeys' | 'retentionShare'
>;

/** Returns which tasks the workers prune automatically. Undefined means none. */
export function policyOf(config: RetentionConfig): RetentionPolicy | undefined {
  const { retentionMs = 0, retentionRules, retentionArchive: archive, retentionReleaseKeys: releaseKeys } = config;
  const rules = retentionRules.map(({ version, ...rule }) => ({
    ...rule,
    ...(version !== undefined && { templateVersion: version }),
  }));
  if (retentionMs > 0) rules.push({ keepMs: retentionMs });
  if (!rules.some(({ keepMs }) => keepMs > 0)) return undefined;
  return { rules, archive, releaseKeys, share: config.retentionShare };
}

/** Which tasks, events and actions this process deletes, by its configuration. Undefined policy: no tasks. */
export function retentionOf(config: TaskerConfig) {
  const { eventRetentionMs: eventsMs, auditRetentionMs } = config;
  return { policy: policyOf(config), eventsMs, auditMs: auditRetentionMs ?? null };
}

/** Options of a prune. */
export interface PruneOptions extends OperatorOptions {
  /** The folder for archive files, which is created if it does not exist. Default: tasks are not archived. */
  archive?: string | undefined;
  /** Whether the same request may create a new task afterwards. Default false: the request fails with `conflict`. */
  releaseKeys?: boolean | undefined;
  /** The fraction of the time in which the prune works, from 0.01 to 1. The prune sleeps for the rest. Default 0.1. */
  share?: number | undefined;
  /** Stops the prune after the transaction in progress. */
  signal?: AbortSignal | undefined;
  /** The size of a full archive file. @internal */
  fullBytes?: number | undefined;
}

/** Prepares a prune for an operator. @throws TaskerError `bad_request` */
export function startPrune(engine: Engine, filter: PruneFilter, options: PruneOptions): PruneAct {
  const { archive, releaseKeys = false, share = DEFAULTS.retentionShare, signal, fullBytes } = options;
  checkPruneFilter(filter);
  if (typeof share !== 'number' || !(share >= 0.01 && share <= 1)) {
    throw new TaskerError('bad_request', `share must be a number from 0.01 to 1, got ${String(share)}`);
  }
  if (archive !== undefined && (typeof archive !== 'string' || archive === '')) {
    throw new TaskerError('bad_request', 'archive must be the path of a folder');
  }
  return new PruneAct(engine, () => planOfFilter(engine.database, filter), {
    byPolicy: false,
    archive: archive === undefined ? undefined : path.resolve(archive),
    createFolder: true,
    releaseKeys,
    share,
    shown: { filter },
    operator: operatorOf(options),
    signal,
    fullBytes,
  });
}

/**
 * Reads the tasks of an archive file. Needs no database.
 *
 * @example
 * for await (const { taskUuid, task, lists } of readArchive(file)) console.log(taskUuid, task['done_at'], lists['steps']);
 * @throws TaskerError `bad_request` if the file is not an archive; `archive_damaged` after the last intact task
 */
export async function* readArchive(file: string): AsyncGenerator<ArchivedTask, void> {
  let damage: ArchiveDamage | undefined;
  for await (const lines of readLines(file, { damaged: (found) => (damage = found) })) {
    for (const line of lines) yield archivedTask(line, file);
  }
  if (damage === undefined) return;
  const { why } = damage as ArchiveDamage;
  throw new TaskerError('archive_damaged', `${file}: ${why}; the tasks before that are intact`, {
    details: { ...damage },
  });
}

export type { ArchivedTask };
