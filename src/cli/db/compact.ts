import { snakeKeys } from '../../app/json/views.ts';
import {
  type CompactedTable,
  compactDatabase,
  planToCompact,
  type TableCompaction,
} from '../../app/project/compact-database.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { confirmed } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, sizeOf, spanOf, table } from '../show/text.ts';
import { listenForStop } from '../stop-signal.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

interface DbCompactOptions extends GlobalOptions, OperatorFlags {
  full?: boolean;
  dryRun?: boolean;
  yes?: boolean;
}

/** Smaller tables are compacted too, but not listed. */
const LISTED_BYTES = 1_000_000;

/** `tasker db compact`: returns the disk space of deleted tasks to the operating system. */
export async function dbCompact(options: DbCompactOptions): Promise<void> {
  const { full = false, json, dryRun, yes } = options;
  const stop = listenForStop();
  try {
    await withTasker(options, {}, async (tasker) => {
      const plan = await planToCompact(tasker, { full });
      if (dryRun) {
        if (json) return printJson({ dry_run: true, tables: plan.map(planJson) });
        return print(describePlan(plan, full));
      }
      if (!yes) {
        if (thisRun().stdin.isTTY) note(`${describePlan(plan, full)}\n`);
        if (!(await confirmed(questionOf(plan)))) return note('nothing done');
      }
      const compacted = await compactDatabase(tasker, plan, {
        ...operatorFrom(options),
        signal: stop.signal,
        done: (one) => {
          if (one.before >= LISTED_BYTES || one.why !== null) note(describeTable(one));
        },
      });
      report(compacted, options);
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    note('stopped; the tables above are compacted');
    thisRun().exitCode = EXIT.interrupted;
  } finally {
    stop.release();
  }
}

function planJson({ mine: _, ...plan }: TableCompaction): Record<string, unknown> {
  return snakeKeys(plan);
}

const LOCKS: Record<TableCompaction['action'], string> = {
  rewrite: 'locks the table completely',
  reindex: 'nothing waits',
  vacuum: 'nothing waits',
};

function describePlan(plan: readonly TableCompaction[], full: boolean): string {
  const shown = plan.filter((one) => one.action === 'rewrite' || one.bytes + one.indexBytes >= LISTED_BYTES);
  const rows = shown.map(({ table: name, bytes, indexBytes, freeBytes, action, lockedMs }) => [
    name,
    sizeOf(bytes),
    sizeOf(indexBytes),
    sizeOf(freeBytes),
    action === 'rewrite' ? pc.yellow(action) : action,
    action === 'rewrite' ? pc.yellow(`${LOCKS[action]}, about ${spanOf(lockedMs)}`) : LOCKS[action],
  ]);
  const lines = [
    ...(rows.length > 0
      ? [table(['table', 'size', 'indexes', 'about free', 'action', 'locks'], rows)]
      : ['all tables are small']),
    ...(plan.length > shown.length
      ? [pc.dim(`and ${counted(plan.length - shown.length, 'small table')}: vacuum`)]
      : []),
  ];
  const rewritten = plan.filter(({ action }) => action === 'rewrite');
  if (rewritten.length > 0) {
    const need = Math.max(...rewritten.map(({ bytes, freeBytes, indexBytes }) => bytes - freeBytes + indexBytes));
    lines.push(
      '',
      'rewrite (VACUUM FULL): workers, creations and reads that need the table wait until it is done. Leases are kept.',
      `the server needs up to ${sizeOf(need)} of free disk space`,
    );
  } else if (full) lines.push('', 'no table has enough free space to rewrite it');
  else {
    lines.push(
      '',
      'free space within tables is reused for new tasks; --full returns it to the operating system, and locks tables',
    );
  }
  return lines.join('\n');
}

function questionOf(plan: readonly TableCompaction[]): string {
  const rewritten = plan.filter(({ action }) => action === 'rewrite');
  if (rewritten.length === 0) return `compact ${counted(plan.length, 'table')}? Workers continue.`;
  const longest = Math.max(...rewritten.map(({ lockedMs }) => lockedMs));
  const names = rewritten.map(({ table: name }) => name).join(', ');
  return `rewrite ${names}, each locked for up to about ${spanOf(longest)}?`;
}

function describeTable({ table: name, action, before, after, ms, why }: CompactedTable): string {
  if (why !== null) return pc.yellow(`${name}: ${action} failed: ${why}`);
  return `${name}: ${action}, ${sizeOf(before)} → ${sizeOf(after)} in ${spanOf(ms)}`;
}

function report(compacted: readonly CompactedTable[], { json }: DbCompactOptions): void {
  const freed = compacted.reduce((sum, { before, after }) => sum + before - after, 0);
  const failed = compacted.filter(({ why }) => why !== null);
  if (json) printJson({ freed_bytes: freed, tables: compacted.map(snakeKeys) });
  else print(freed > 0 ? `returned ${sizeOf(freed)} to the system` : 'no space to return');
  if (failed.length > 0) thisRun().exitCode = EXIT.failed;
}
