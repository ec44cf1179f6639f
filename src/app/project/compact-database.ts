import {
  type CompactedTable,
  compactTables,
  planCompaction,
  type TableCompaction,
} from '../../engine/retention/compact.ts';
import type { Tasker } from '../tasker.ts';

export type { CompactedTable, TableCompaction };

/** Plans how to return the disk space of deleted tasks to the operating system. */
export function planToCompact(tasker: Tasker, options: { full: boolean }): Promise<TableCompaction[]> {
  return planCompaction(tasker.engine.database, options);
}

/** Returns disk space to the operating system, table by table. */
export function compactDatabase(
  tasker: Tasker,
  tables: readonly TableCompaction[],
  options: Parameters<typeof compactTables>[2],
): Promise<CompactedTable[]> {
  return compactTables(tasker.engine.database, tables, { door: tasker.door, ...options });
}
