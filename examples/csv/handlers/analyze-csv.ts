import { defineBatchAnalyzer } from 'tasker-core';
import { z } from 'zod';
import { countRows, positionsOfRows } from './_csv-file.ts';

/**
 * Splits the file into one part per worker. The cursors are byte positions, so no worker reads the part of another worker.
 * Creates the table for the totals, if it does not exist.
 */
export const analyzeCsv = defineBatchAnalyzer(
  'csv.analyze',
  { inputs: { csv_path: z.string(), workers: z.int() } },
  async ({ csv_path, workers, context }) => {
    await context.transaction(async (tx) => {
      await tx.query(`
        create table if not exists csv_demo_total (
          task_uuid uuid, batch_id text, row_count int not null, cents bigint not null, primary key (task_uuid, batch_id)
        )`);
    });
    const rows = await countRows(csv_path);
    const size = Math.ceil(rows / workers);
    const positions = rows === 0 ? [] : await positionsOfRows(csv_path, size);
    const cursorConfigs = positions.slice(1).map((end, i) => ({
      batch_id: String(i + 1).padStart(3, '0'),
      start_cursor: positions[i],
      end_cursor: end,
      batch_size: Math.min(size, rows - i * size),
    }));
    return { cursorConfigs, totalItems: rows };
  },
);
