import { defineConvergence } from 'tasker-core';
import { z } from 'zod';

const Work = z.object({ items_processed: z.int(), results: z.tuple([z.object({ cents: z.int() })]) });
const TOTAL = `
  select coalesce(sum(row_count), 0)::int as rows, coalesce(sum(cents), 0)::float8 as cents
    from csv_demo_total where task_uuid = $1`;

/** Returns the totals of all workers, from their reports and from the table. */
export const summarize = defineConvergence(
  'csv.summarize',
  { workerTemplate: ['process_csv_batch', Work] },
  async ({ results, context }) => {
    const sum = (of: (work: z.infer<typeof Work>) => number) => results.reduce((total, work) => total + of(work), 0);
    let table: { rows: number; cents: number } | undefined;
    await context.transaction(async (tx) => {
      [table] = (await tx.query<{ rows: number; cents: number }>(TOTAL, [context.taskUuid])).rows;
    });
    const reported = { rows: sum((work) => work.items_processed), cents: sum((work) => work.results[0].cents) };
    return { workers: results.length, reported, table };
  },
);
