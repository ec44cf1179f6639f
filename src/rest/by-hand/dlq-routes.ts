import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Tasker } from '../../app/tasker.ts';
import { deadLetters } from '../../contract/dead-letters.ts';
import { type DlqEntrySchema, pascal } from '../../contract/schemas/dead-letters.ts';
import { isTaskerError, TaskerError } from '../../errors.ts';
import { actorOf, callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { maySee } from '../scope.ts';

const LIST = describeRoute(deadLetters.list);
const OF_TASK = describeRoute(deadLetters.ofTask);
const CHANGE = describeRoute(deadLetters.update);
const STATS = describeRoute(deadLetters.stats);
const QUEUE = describeRoute(deadLetters.queue);
const STALENESS = describeRoute(deadLetters.staleness);

type Details = Awaited<ReturnType<Tasker['deadLetters']['get']>>;

/** Number of entries to read in order to find the entries in the caller's namespaces. */
const MOST_STALE = 1000;

/** Returns the condition that limits a list to the namespaces of the caller. */
const within = (c: Context) => {
  const { namespaces } = callerOf(c);
  return namespaces ? { namespaces } : {};
};
const naive = (text: string) => text.replace(/Z$/, '');
const naiveOrNull = (text: string | null) => (text === null ? null : naive(text));

function entryJson(entry: Details): z.infer<typeof DlqEntrySchema> {
  return {
    dlq_entry_uuid: entry.dlqEntryUuid,
    task_uuid: entry.taskUuid,
    original_state: entry.originalState,
    dlq_reason: pascal(entry.dlqReason),
    dlq_timestamp: naive(entry.dlqTimestamp),
    resolution_status: pascal(entry.resolutionStatus),
    resolution_timestamp: naiveOrNull(entry.resolutionTimestamp),
    resolution_notes: entry.resolutionNotes,
    resolved_by: entry.resolvedBy,
    task_snapshot: { ...entry.taskSnapshot },
    metadata: entry.metadata,
    created_at: naive(entry.createdAt),
    updated_at: naive(entry.updatedAt),
  };
}

/** Returns an entry. Undefined if it was deleted with its task since the list was read. */
async function entryIfKept(deadLetters: Tasker['deadLetters'], id: string): Promise<Details | undefined> {
  try {
    return await deadLetters.get(id);
  } catch (error) {
    if (isTaskerError(error) && error.code === 'dead_letter_not_found') return undefined;
    throw error;
  }
}

/** Routes for dead letters. */
export function dlqRoutes(tasker: Tasker): OpenAPIHono {
  const { deadLetters } = tasker;
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(LIST, async (c) => {
      const { resolution_status: status = 'all', limit, offset } = c.req.valid('query');
      const { entries } = await deadLetters.list({ status, ...within(c) }, { limit, offset, sort: 'added' });
      const details = await Promise.all(entries.map(({ dlqEntryUuid }) => entryIfKept(deadLetters, dlqEntryUuid)));
      return c.json(
        details.flatMap((one) => (one === undefined ? [] : [entryJson(one)])),
        200,
      );
    })
    .openapi(OF_TASK, async (c) => {
      const { task_uuid: task } = c.req.valid('param');
      const [newest] = (await deadLetters.list({ task, status: 'all' }, { limit: 1, sort: 'added' })).entries;
      if (!newest) throw new TaskerError('dead_letter_not_found', `task ${task} has no entry in the dead letters`);
      return c.json(entryJson(await deadLetters.get(newest.dlqEntryUuid)), 200);
    })
    .openapi(CHANGE, async (c) => {
      const { dlq_entry_uuid: id } = c.req.valid('param');
      const {
        resolution_status: status,
        resolution_notes: notes,
        metadata,
        assignee,
        priority,
        ...act
      } = c.req.valid('json');
      const more = {
        ...(metadata != null && { metadata }),
        ...(assignee !== undefined && { assignee }),
        ...(priority != null && { priority }),
      };
      const onlyNotes = (status == null || status === 'pending') && Object.keys(more).length === 0;
      // A closed entry keeps its outcome.
      const isRemark = onlyNotes && notes != null && (await deadLetters.get(id)).resolutionStatus !== 'pending';
      const change = {
        ...(status != null && status !== 'pending' && { status }),
        ...(notes != null && (isRemark ? { note: notes } : { resolutionNotes: notes })),
        ...more,
      };
      await deadLetters.update(id, change, actorOf(callerOf(c), { by: act.resolved_by, reason: act.reason }));
      const message = 'Investigation status updated successfully';
      return c.json({ success: true as const, message, dlq_entry_uuid: id }, 200);
    })
    .openapi(STATS, async (c) => {
      const { namespace, name, added_after: addedAfter } = c.req.valid('query');
      const rows = await deadLetters.stats({ namespace, name, addedAfter, ...within(c) });
      return c.json(
        rows.map((row) => ({
          dlq_reason: pascal(row.dlqReason),
          total_entries: row.totalEntries,
          pending: row.pending,
          manually_resolved: row.manuallyResolved,
          permanent_failures: row.permanentFailures,
          cancelled: row.cancelled,
          oldest_entry: naiveOrNull(row.oldestEntry),
          newest_entry: naiveOrNull(row.newestEntry),
          avg_resolution_time_minutes: row.avgResolutionTimeMinutes,
          unassigned: row.unassigned,
          oldest_pending: naiveOrNull(row.oldestPending),
        })),
        200,
      );
    });
}

/** Routes for open dead letters by priority, and for tasks that are close to a limit. */
export function investigationRoutes(tasker: Tasker): OpenAPIHono {
  const { deadLetters } = tasker;
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(QUEUE, async (c) => {
      const { entries } = await deadLetters.list(within(c), { limit: c.req.valid('query').limit });
      return c.json(
        entries.map((entry) => ({
          dlq_entry_uuid: entry.dlqEntryUuid,
          task_uuid: entry.taskUuid,
          original_state: entry.originalState,
          dlq_reason: pascal(entry.dlqReason),
          dlq_timestamp: naive(entry.dlqTimestamp),
          minutes_in_dlq: entry.minutesInDlq,
          namespace_name: entry.namespaceName,
          task_name: entry.taskName,
          current_state: entry.currentState,
          time_in_state_minutes: entry.timeInStateMinutes,
          priority_score: entry.priorityScore,
        })),
        200,
      );
    })
    .openapi(STALENESS, async (c) => {
      const caller = callerOf(c);
      const { limit } = c.req.valid('query');
      const all = await deadLetters.staleness({ limit: caller.namespaces ? MOST_STALE : limit });
      const rows = all.filter(({ namespaceName }) => maySee(caller, namespaceName)).slice(0, limit);
      return c.json(
        rows.map((row) => ({
          task_uuid: row.taskUuid,
          namespace_name: row.namespaceName,
          task_name: row.taskName,
          current_state: row.currentState,
          time_in_state_minutes: row.timeInStateMinutes,
          task_age_minutes: row.taskAgeMinutes,
          staleness_threshold_minutes: row.stalenessThresholdMinutes,
          health_status: row.healthStatus,
          priority: row.priority,
          rule: row.rule,
        })),
        200,
      );
    });
}
