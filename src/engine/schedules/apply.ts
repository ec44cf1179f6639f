import type { Database } from '../../db/database.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { digestOfSchedule, type ScheduleSpec } from '../../model/schedule/spec.ts';
import { noteAct } from '../../store/audit.ts';
import type { Operator } from '../../store/operator-actions.ts';
import { clockMs, listSchedules, lockSchedule, pauseSchedule } from '../../store/schedules/schedules.ts';
import { type OperatorOptions, operatorOf } from '../operator-actions.ts';
import { ACT_SETTINGS, insertSpec, onLocked, replace, resumeLocked } from './manage.ts';

/** The actor that pauses a schedule whose file has disappeared. The schedule is resumed when the file is back. */
const APPLY = 'schedule apply';

/** The schedules of files, and the package that they belong to. */
export interface AppliedFiles extends OperatorOptions {
  source: string;
  schedules: readonly ScheduleSpec[];
  /**
   * If true, an operator requested the update: content that was applied earlier is applied again, manual changes are
   * undone, and other schedules of the same source are paused. Otherwise, only new content is applied.
   */
  all: boolean;
  /** Only returns what would be done. */
  dryRun?: boolean;
}

/** The outcome of applying the schedule of a file. */
export interface AppliedSchedule {
  name: string;
  /**
   * `older`: the database has had newer content since. `foreign`: a schedule of this name was created by hand, or belongs to
   * another source. `invalid`: it has no due time.
   */
  change: 'created' | 'updated' | 'unchanged' | 'resumed' | 'paused' | 'older' | 'foreign' | 'invalid';
  reason: string | null;
}

/** Applies the schedules of files. Each is applied in a separate transaction. */
export async function applySchedules(database: Database, files: AppliedFiles): Promise<AppliedSchedule[]> {
  const operator = operatorOf(files);
  const applied: AppliedSchedule[] = [];
  for (const spec of files.schedules) applied.push(await applyOne(database, spec, { files, operator }));
  if (files.all) applied.push(...(await pauseMissing(database, files, operator)));
  return applied;
}

async function applyOne(
  database: Database,
  spec: ScheduleSpec,
  { files, operator }: { files: AppliedFiles; operator: Operator },
): Promise<AppliedSchedule> {
  const { name } = spec;
  const { source, all, dryRun = false } = files;
  try {
    return await database.transaction(ACT_SETTINGS, async (tx) => {
      const row = await lockSchedule(tx, name);
      const done = (change: AppliedSchedule['change'], reason: string | null = null) => ({ name, change, reason });
      if (!row) {
        if (dryRun) return done('created');
        // Another process may have created the schedule in the meantime.
        if (!(await insertSpec(tx, { spec, nowMs: await clockMs(tx), source, pause: null }))) return done('unchanged');
        const details = JSON.stringify({ spec, source });
        await noteAct(tx, { action: 'schedule_create', target: `schedule ${name}`, details }, operator);
        return done('created');
      }
      if (row.source !== source) {
        const owner = row.source === null ? 'was created by hand' : `belongs to the source ${row.source}`;
        return done('foreign', `schedule ${name} ${owner}; rename the one in the file, or delete the other`);
      }
      const digest = digestOfSchedule(spec);
      const returns = all && row.pausedBy === APPLY;
      const isNew = all ? digest !== row.digest : !row.earlier.includes(digest);
      if (!isNew && !returns) {
        const older = !all && row.earlier.at(-1) !== digest;
        return older ? done('older', `the database has had newer content since ${row.updatedAt}`) : done('unchanged');
      }
      if (dryRun) return done(isNew ? 'updated' : 'resumed');
      if (isNew) await replace(tx, row, { spec, operator, source, fileDigest: digest });
      if (returns) await resumeLocked(tx, (await lockSchedule(tx, name))!, operator);
      return done(isNew ? 'updated' : 'resumed');
    });
  } catch (error) {
    if (!(error instanceof TaskerError) || error.code !== 'schedule_invalid') throw error;
    return { name, change: 'invalid', reason: messageOf(error) };
  }
}

async function pauseMissing(database: Database, files: AppliedFiles, operator: Operator): Promise<AppliedSchedule[]> {
  const { source, schedules, dryRun = false } = files;
  const kept = new Set(schedules.map((spec) => spec.name));
  const paused: AppliedSchedule[] = [];
  for (let after: string | null = null; ; ) {
    const rows = await listSchedules(database, { source, after, limit: 1000 });
    for (const { name, pausedAt } of rows) {
      if (kept.has(name) || pausedAt !== null) continue;
      const reason = `it is no longer among the files of ${source}`;
      if (!dryRun) {
        await onLocked(database, name, async (tx, row) => {
          // An operator may have paused the schedule in the meantime. That pause must not end when the file is back.
          if (row.pausedAt !== null) return;
          await pauseSchedule(tx, row.id, { actor: APPLY, reason });
          await noteAct(tx, { action: 'schedule_pause', target: `schedule ${name}` }, { ...operator, reason });
        });
      }
      paused.push({ name, change: 'paused', reason });
    }
    if (rows.length < 1000) return paused;
    after = rows.at(-1)!.name;
  }
}
