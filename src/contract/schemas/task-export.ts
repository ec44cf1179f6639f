import { z } from 'zod';
import { ActedStepSchema } from './action-results.ts';
import { EventSchema } from './events.ts';
import { NAMES } from './names.ts';
import { AuditSchema } from './records.ts';
import { TaskSignalsSchema } from './signals.ts';
import { HistoryEntrySchema, TaskSchema, WaitSchema } from './task-details.ts';
import { StepResponseSchema } from './tasks.ts';

export const TaskExportSchema = z
  .object({
    tasker_version: z.string(),
    exported_at: z.string(),
    summary: z.string().meta({ description: 'The reason why the task is in its state, as a sentence.' }),
    task: TaskSchema,
    steps: z.array(
      ActedStepSchema.extend({
        results: StepResponseSchema.shape.results.meta({ description: 'Null also if `omitted` lists `results`.' }),
        depends_on: z.array(z.string()),
        why: z.string().meta({ description: 'The reason why the step is in its state, as a sentence.' }),
      }).register(NAMES, { id: 'ExportedStep' }),
    ),
    history: z.array(HistoryEntrySchema),
    waits: z.array(WaitSchema),
    signals: TaskSignalsSchema.shape.signals,
    events: z.array(EventSchema),
    audit: z.array(AuditSchema),
    omitted: z
      .array(
        z.object({
          part: z.enum(['results', 'events', 'audit', 'payloads', 'signals', 'sensitive']),
          why: z.string(),
        }),
      )
      .meta({ description: 'The parts that the document does not contain, and why.' }),
  })
  .register(NAMES, { id: 'TaskExport' });
