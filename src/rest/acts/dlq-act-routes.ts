import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { snakeKeys } from '../../app/json/views.ts';
import type { DeadLetterChange } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute, jsonBody } from '../route.ts';
import { jsonObject } from '../schemas/json-object.ts';
import { checkVisible, maySee } from '../scope.ts';
import { as, DeadLetterSchema, named, RedriveSchema } from './act-schemas.ts';
import { ActBody, OPERATOR, operatorOf, optionalBody } from './operator.ts';

const Entry = z.object({ dlq_entry_uuid: z.string() });
const ChangedSchema = z.object({ changed: z.int() }).openapi('ChangedDeadLetters');

const ADD = describeRoute({
  method: 'post',
  path: '/v1/dlq',
  permission: 'dlq:update',
  scoped: true,
  summary: 'Adds a task to the dead letters',
  request: jsonBody(
    z
      .strictObject({
        ...OPERATOR,
        task_uuid: z.string(),
        assignee: named(128).optional(),
        priority: z.int().min(-100).max(100).optional(),
        metadata: jsonObject().optional(),
      })
      .openapi('DeadLetterRequest'),
  ),
  answer: DeadLetterSchema,
  status: 201,
  errors: [404, 409],
});
const ASSIGN = describeRoute({
  method: 'post',
  path: '/v1/dlq/entry/{dlq_entry_uuid}/assign',
  permission: 'dlq:update',
  summary: 'Assigns a dead letter to a person or a team; null removes the assignee',
  request: {
    params: Entry,
    ...jsonBody(
      z
        .strictObject({
          ...OPERATOR,
          to: named(128).nullish(),
          priority: z.int().min(-100).max(100).optional(),
        })
        .openapi('AssignRequest'),
    ),
  },
  answer: ChangedSchema,
  errors: [404, 409],
});
const NOTE = describeRoute({
  method: 'post',
  path: '/v1/dlq/entry/{dlq_entry_uuid}/note',
  permission: 'dlq:update',
  summary: 'Adds a remark to a dead letter',
  request: {
    params: Entry,
    ...jsonBody(z.strictObject({ ...OPERATOR, note: z.string().min(1).max(10_000) }).openapi('NoteRequest')),
  },
  answer: ChangedSchema,
  errors: [404],
});
const RESOLVE = describeRoute({
  method: 'post',
  path: '/v1/dlq/entry/{dlq_entry_uuid}/resolve',
  permission: 'dlq:update',
  summary: 'Closes a dead letter; its task does not change',
  request: {
    params: Entry,
    ...optionalBody(
      z
        .strictObject({
          ...OPERATOR,
          status: z.enum(['manually_resolved', 'permanently_failed', 'cancelled']).default('manually_resolved'),
          notes: z.string().max(10_000).optional(),
        })
        .openapi('ResolveDeadLetterRequest'),
    ),
  },
  answer: ChangedSchema,
  errors: [404, 409],
});
const REDRIVE = describeRoute({
  method: 'post',
  path: '/v1/dlq/entry/{dlq_entry_uuid}/redrive',
  permission: 'dlq:update',
  summary: 'Runs the task of a dead letter again, and closes the entry',
  request: { params: Entry, ...optionalBody(ActBody) },
  answer: RedriveSchema,
  errors: [404, 409],
});

/** Routes that change dead letters. */
export function dlqActRoutes(tasker: Tasker): OpenAPIHono {
  const { deadLetters } = tasker;
  const change = async (
    c: Context,
    { dlq_entry_uuid: id }: z.infer<typeof Entry>,
    { operator, ...wanted }: DeadLetterChange & { operator: z.infer<typeof ActBody> },
  ) => {
    await checkEntry(tasker, c, id);
    return { changed: await deadLetters.update(id, wanted, operatorOf(c, operator)) };
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(ADD, async (c) => {
      const { task_uuid: task, assignee, priority, metadata, ...operator } = c.req.valid('json');
      await checkVisible(tasker, callerOf(c), task);
      const entry = await deadLetters.add(task, { ...operatorOf(c, operator), assignee, priority, metadata });
      return c.json(as(DeadLetterSchema, snakeKeys(entry)), 201);
    })
    .openapi(ASSIGN, async (c) => {
      const { to, priority, ...operator } = c.req.valid('json');
      if (to === undefined && priority === undefined) {
        throw new TaskerError('bad_request', 'pass to (a name or null) or priority');
      }
      const wanted = { ...(to !== undefined && { assignee: to }), ...(priority !== undefined && { priority }) };
      return c.json(await change(c, c.req.valid('param'), { ...wanted, operator }), 200);
    })
    .openapi(NOTE, async (c) => {
      const { note, ...operator } = c.req.valid('json');
      return c.json(await change(c, c.req.valid('param'), { note, operator }), 200);
    })
    .openapi(RESOLVE, async (c) => {
      const { status = 'manually_resolved', notes, ...operator } = c.req.valid('json');
      const wanted = { status, ...(notes !== undefined && { resolutionNotes: notes }) };
      return c.json(await change(c, c.req.valid('param'), { ...wanted, operator }), 200);
    })
    .openapi(REDRIVE, async (c) => {
      const { dlq_entry_uuid: id } = c.req.valid('param');
      await checkEntry(tasker, c, id);
      const done = await deadLetters.redrive(id, operatorOf(c, c.req.valid('json')));
      return c.json(as(RedriveSchema, snakeKeys(done)), 200);
    });
}

async function checkEntry(tasker: Tasker, c: Context, id: string): Promise<void> {
  const caller = callerOf(c);
  if (caller.namespaces === undefined) return;
  const { namespaceName } = await tasker.deadLetters.get(id);
  if (maySee(caller, namespaceName)) return;
  throw new TaskerError('dead_letter_not_found', `dead letter ${id} not found`);
}
