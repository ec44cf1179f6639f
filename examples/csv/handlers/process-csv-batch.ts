import { setTimeout as sleep } from 'node:timers/promises';
import { defineBatchWorker } from 'tasker-core';
import { z } from 'zod';
import { readRows } from './_csv-file.ts';

// Addition is not idempotent, so rows that are counted twice would change the total.
const ADD = `
  insert into csv_demo_total as had (task_uuid, batch_id, row_count, cents) values ($1, $2, $3, $4)
  on conflict (task_uuid, batch_id) do update
     set row_count = had.row_count + excluded.row_count, cents = had.cents + excluded.cents`;

/**
 * Processes its part of the file, some rows at a time. The totals of the rows and the checkpoint are committed together.
 * A process that is killed at any moment therefore loses no row and counts no row twice.
 */
export const processCsvBatch = defineBatchWorker(
  'csv.process',
  { inputs: { csv_path: z.string(), pause_ms: z.int().default(0) } },
  async ({ csv_path, pause_ms, batchContext, context, signal }) => {
    if (!batchContext) throw new Error('this step is not a batch worker');
    const { batchId, startCursor, endCursor } = batchContext;

    while (Number(context.checkpointCursor ?? startCursor) < endCursor) {
      signal.throwIfAborted();
      await context.transaction(async (tx, cursor) => {
        const { rows, next } = await readRows(csv_path, { from: Number(cursor), to: endCursor });
        const cents = rows.reduce((sum, row) => sum + Number(row.split(',')[2]), 0);
        await tx.query(ADD, [context.taskUuid, batchId, rows.length, cents]);
        return {
          cursor: next,
          itemsProcessed: context.checkpointItemsProcessed + rows.length,
          accumulatedResults: { cents: Number(context.accumulatedResults?.cents ?? 0) + cents },
        };
      });
      // Reports to the parent process, which shows the progress.
      process.send?.({ task: context.taskUuid, batchId, rows: context.checkpointItemsProcessed });
      if (pause_ms > 0) await sleep(pause_ms, undefined, { signal });
    }
    return { itemsProcessed: context.checkpointItemsProcessed, results: [context.accumulatedResults] };
  },
);
