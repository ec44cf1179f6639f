import { z } from 'zod';
import { DEAD_LETTER_REASONS, DEAD_LETTER_STATUSES, type DeadLetterStatus } from '../../model/dead-letter.ts';
import { NAMES } from './names.ts';
import { givenFields, userFields } from './user-json.ts';

/** The JSON of dead letters. */

/** `manual_dlq` as `ManualDlq`. */
type Pascal<Text extends string> = Text extends `${infer First}_${infer Rest}`
  ? `${Capitalize<First>}${Pascal<Rest>}`
  : Capitalize<Text>;

/**
 * Returns a value of an enumeration in PascalCase, which responses have. Requests may use PascalCase or snake_case,
 * because clients use both.
 */
export function pascal<Text extends string>(text: Text): Pascal<Text> {
  return text.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase()) as Pascal<Text>;
}

/** The reasons and statuses in responses of the described system. */
const shownReason = z.enum(DEAD_LETTER_REASONS.map((one) => pascal(one)));
const shownStatus = z.enum(DEAD_LETTER_STATUSES.map((one) => pascal(one)));

export const statusText = z
  .string()
  .transform((text) => DEAD_LETTER_STATUSES.find((status) => status === text || pascal(status) === text))
  .refine((status): status is DeadLetterStatus => status !== undefined, {
    error: `must be one of ${DEAD_LETTER_STATUSES.join(', ')}`,
  });

const time = z.string().nullable();
export const DlqEntrySchema = z
  .object({
    dlq_entry_uuid: z.uuid(),
    task_uuid: z.uuid(),
    original_state: z.string(),
    dlq_reason: shownReason,
    dlq_timestamp: z.string(),
    resolution_status: shownStatus,
    resolution_timestamp: time,
    resolution_notes: z.string().nullable(),
    resolved_by: z.string().nullable(),
    task_snapshot: userFields('public'),
    metadata: userFields('public').nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .register(NAMES, { id: 'DlqEntry' });
export const DlqChangeSchema = z
  .object({
    resolution_status: statusText.nullish(),
    resolution_notes: z.string().max(10_000).nullish(),
    resolved_by: z.string().min(1).max(200).nullish(),
    reason: z.string().min(1).max(4000).nullish(),
    metadata: givenFields('public').nullish(),
    assignee: z.string().min(1).max(128).nullish().meta({ description: 'Null removes the assignee.' }),
    priority: z.int().min(-100).max(100).nullish(),
  })
  .register(NAMES, { id: 'DlqInvestigationUpdate' });
export const DlqChangedSchema = z
  .object({ success: z.literal(true), message: z.string(), dlq_entry_uuid: z.uuid() })
  .register(NAMES, { id: 'UpdateInvestigationResponse' });
export const DlqStatsSchema = z
  .object({
    dlq_reason: shownReason,
    total_entries: z.int(),
    pending: z.int(),
    manually_resolved: z.int(),
    permanent_failures: z.int(),
    cancelled: z.int(),
    oldest_entry: time,
    newest_entry: time,
    avg_resolution_time_minutes: z.number().nullable(),
    unassigned: z.int().meta({ description: 'Number of pending entries without an assignee.' }),
    oldest_pending: time,
  })
  .register(NAMES, { id: 'DlqStats' });
export const QueueEntrySchema = z
  .object({
    dlq_entry_uuid: z.uuid(),
    task_uuid: z.uuid(),
    original_state: z.string(),
    dlq_reason: shownReason,
    dlq_timestamp: z.string(),
    minutes_in_dlq: z.number(),
    namespace_name: z.string().nullable(),
    task_name: z.string().nullable(),
    current_state: z.string().nullable(),
    time_in_state_minutes: z.number().nullable(),
    priority_score: z.number(),
  })
  .register(NAMES, { id: 'DlqInvestigationQueueEntry' });
export const StalenessSchema = z
  .object({
    task_uuid: z.uuid(),
    namespace_name: z.string().nullable(),
    task_name: z.string().nullable(),
    current_state: z.string(),
    time_in_state_minutes: z.number(),
    task_age_minutes: z.number(),
    staleness_threshold_minutes: z.number(),
    health_status: z.enum(['healthy', 'warning', 'stale']),
    priority: z.int(),
    rule: z.string(),
  })
  .register(NAMES, { id: 'StalenessMonitoring' });
