import { z } from 'zod';
import { bulkState } from './bulk-acts.ts';
import { NAMES } from './names.ts';
import { userFields } from './user-json.ts';

export const nullableText = z.string().nullable();
export const AuditSchema = z
  .object({
    id: z.int(),
    at: z.string(),
    actor: z.string(),
    door: nullableText,
    action: z.string(),
    task_uuid: z.uuid().nullable(),
    template: nullableText,
    step: nullableText,
    target: nullableText,
    from_state: nullableText,
    to_state: nullableText,
    reason: nullableText,
    bulk_id: z.int().nullable(),
    details: userFields('context').nullable(),
    entries: z.int().meta({
      description: 'Number of actions that the entry represents, at most 10,000. More than 1 only with `fold`.',
    }),
  })
  .register(NAMES, { id: 'AuditEntry' });

export const BulkSchema = z
  .object({
    id: z.int(),
    action: z.string(),
    state: bulkState,
    filter: userFields('context', { description: 'Null if the items were listed by id.' }).nullable(),
    actor: z.string(),
    reason: nullableText,
    door: z.string(),
    matched: z.int(),
    done: z.int(),
    skipped_count: z.int(),
    failed_count: z.int(),
    created_at: z.string(),
    started_at: nullableText,
    seen_at: z.string(),
    ended_at: nullableText,
  })
  .register(NAMES, { id: 'BulkAct' });

export const items = z.array(z.object({ task_uuid: z.uuid(), step: nullableText, why: z.string() }));
export const BulkReportSchema = BulkSchema.extend({
  paused: z.int().meta({
    description:
      'Tasks that were acted on and do not continue until a pause ends, at most 100,000. 0 until the act has ended.',
  }),
  skipped: items,
  failed: items,
}).register(NAMES, { id: 'BulkReport' });
