import { createHash } from 'node:crypto';
import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Tasker } from '../../app/tasker.ts';
import { type BulkActRequestSchema, bulkActs, PERMISSIONS } from '../../contract/bulk-acts.ts';
import { encode } from '../../contract/encode.ts';
import { PreviewSchema, StartedSchema } from '../../contract/schemas/bulk-acts.ts';
import { sqlState } from '../../engine/engine.ts';
import type { OperatorOptions } from '../../engine/operator-actions.ts';
import { TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { TASK_FILTER_KEYS } from '../../model/task-filter-keys.ts';
import { actorOf, callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible, maySee } from '../scope.ts';
import { begin } from '../verbs/bulk-acts.ts';

/** Maximum number of ids in one request of a credential that is limited to namespaces, because each is looked up. */
const MOST_CHECKED_IDS = 1_000;

const PREVIEW = {
  description: 'The preview of an action with `dry_run`',
  content: { 'application/json': { schema: PreviewSchema } },
};
const START = describeRoute(bulkActs.start);
Object.assign(START.responses, { 200: PREVIEW });

const UNIQUE_VIOLATION = '23505';

/** Equal requests have the same bytes here, because the schema sorts their keys. */
function hashOf(body: z.infer<typeof BulkActRequestSchema>): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}

/** The route that begins bulk actions. It has another response for a preview. */
export function bulkStartRoutes(tasker: Tasker, logger: Logger): OpenAPIHono {
  const begunBy = async ({ key, hash }: { key: string; hash: string }, by: OperatorOptions) => {
    const found = await tasker.bulk.begunBy(key, by);
    if (found && found.hash !== hash) {
      throw new TaskerError(
        'conflict',
        `the idempotency key ${key} was used for another action, ${found.id}; send each action with its own key`,
        { details: { id: found.id } },
      );
    }
    return found && tasker.bulk.show(found.id);
  };
  const beginOnce = async (
    once: { key: string; hash: string },
    by: OperatorOptions,
    start: () => ReturnType<typeof begin>,
  ) => {
    const before = await begunBy(once, by);
    if (before) return before;
    try {
      return await start();
    } catch (error) {
      // The same request began the action concurrently.
      const other = sqlState(error) === UNIQUE_VIOLATION ? await begunBy(once, by) : undefined;
      if (!other) throw error;
      return other;
    }
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid }).openapi(START, async (c) => {
    const body = c.req.valid('json');
    await checkAct(tasker, c, body);
    const by = actorOf(callerOf(c), body);
    const { 'idempotency-key': key } = c.req.valid('header');
    if (!body.dry_run) {
      const once = key === undefined ? undefined : { key, hash: hashOf(body) };
      const start = () => begin(tasker, logger, (signal) => actOf(tasker, body, { ...by, signal, request: once }));
      return c.json(encode(StartedSchema, once ? await beginOnce(once, by, start) : await start()), 202);
    }
    const act = actOf(tasker, body, by);
    const preview = await act.preview().finally(() => act.discard().catch(() => undefined));
    return c.json(encode(PreviewSchema, { ...preview, dryRun: true }), 200) as never;
  });
}

type Options = Parameters<Tasker['bulk']['resume']>[1];

function actOf(tasker: Tasker, body: z.infer<typeof BulkActRequestSchema>, options: Options) {
  const { bulk, deadLetters } = tasker;
  const target = targetOf(body);
  switch (body.action) {
    case 'task_retry':
      return bulk.retry(target, options);
    case 'task_cancel':
      return bulk.cancel(target, options);
    case 'task_resolve':
      return bulk.resolve(target, options);
    case 'task_delete':
      return bulk.delete(target, options);
    case 'task_redrive':
      return deadLetters.redriveAll(target as { ids: readonly string[] }, options);
    case 'task_undo':
      return bulk.undo(target, options);
    case 'step_retry':
      return bulk.retrySteps(target, options);
    case 'step_reset':
      return bulk.resetSteps(target, options);
    case 'step_resolve':
      return bulk.resolveSteps(target, { ...options, ...(body.result !== undefined && { result: body.result }) });
  }
}

function targetOf({
  action,
  filter,
  ids,
  steps,
}: z.infer<typeof BulkActRequestSchema>): Parameters<Tasker['bulk']['retry']>[0] {
  if ([filter, ids, steps].filter((given) => given !== undefined).length !== 1) {
    throw new TaskerError('bad_request', 'pass exactly one of filter, ids and steps');
  }
  if (filter !== undefined) return filterOf(filter);
  if (steps !== undefined) return { steps: steps.map(({ task_uuid: taskUuid, step }) => ({ taskUuid, step })) };
  return action.startsWith('step_') ? { steps: ids! } : { ids: ids! };
}

const OF_DEAD_LETTERS = ['dlqReason', 'assignee', 'unassigned', 'addedAfter', 'addedBefore', 'all'];
const SNAKE = new Map(
  [...TASK_FILTER_KEYS, ...OF_DEAD_LETTERS].map((key) => [
    key.replace(/[A-Z]/g, (sign) => `_${sign.toLowerCase()}`),
    key,
  ]),
);

/** Returns a filter with the keys of the library. `state` is `status`, as in GET /v1/tasks. */
function filterOf(given: Record<string, unknown>): object {
  const filter: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    const known = key === 'state' ? 'status' : key === 'source_system' ? 'source' : SNAKE.get(key);
    if (known === undefined) {
      throw new TaskerError(
        'bad_request',
        `filter: unknown condition ${key}; the conditions are ${[...SNAKE.keys()].join(', ')}`,
      );
    }
    filter[known] = known === 'status' && typeof value === 'string' ? value.split(',') : value;
  }
  return filter;
}

/** Rejects an action that the caller may not perform, or that concerns items it may not see. */
async function checkAct(tasker: Tasker, c: Context, body: z.infer<typeof BulkActRequestSchema>): Promise<void> {
  const caller = callerOf(c);
  const permission = PERMISSIONS[body.action];
  if (!caller.allows(permission))
    throw new TaskerError('forbidden', `${body.action} needs the permission ${permission}`);
  if (caller.namespaces === undefined) return;
  const { filter, ids = [], steps = [] } = body;
  if (filter !== undefined) {
    if (typeof filter.namespace === 'string' && maySee(caller, filter.namespace)) return;
    const mine = caller.namespaces.join(', ');
    throw new TaskerError('forbidden', `filter.namespace must be one of this credential's namespaces: ${mine}`);
  }
  if (ids.length + steps.length > MOST_CHECKED_IDS) {
    throw new TaskerError('bad_request', `pass at most ${MOST_CHECKED_IDS} ids with this credential, or a filter`);
  }
  if (body.action.startsWith('step_') && ids.length > 0) {
    throw new TaskerError('bad_request', 'with this credential, name steps as steps: [{ task_uuid, step }]');
  }
  const entries = body.action === 'task_redrive';
  const tasks = [...ids, ...steps.map((step) => step.task_uuid)];
  for (const id of tasks) {
    const task = entries ? (await tasker.deadLetters.get(id)).taskUuid : id;
    await checkVisible(tasker, callerOf(c), task);
  }
}
