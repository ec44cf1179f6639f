import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { snakeKeys } from '../../app/json/views.ts';
import type { DeadLetterChange } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { deadLetters, type EntryPath } from '../../contract/dead-letters.ts';
import { as, RedriveSchema } from '../../contract/schemas/acts.ts';
import type { ActBody } from '../../contract/schemas/operator.ts';
import { DeadLetterDetailsSchema } from '../../contract/schemas/operators.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible, maySee } from '../scope.ts';
import { operatorOf } from './operator.ts';

const ADD = describeRoute(deadLetters.add);
const ASSIGN = describeRoute(deadLetters.assign);
const NOTE = describeRoute(deadLetters.note);
const RESOLVE = describeRoute(deadLetters.resolve);
const REDRIVE = describeRoute(deadLetters.redrive);

/** Routes that change dead letters. */
export function dlqActRoutes(tasker: Tasker): OpenAPIHono {
  const { deadLetters } = tasker;
  const change = async (
    c: Context,
    { dlq_entry_uuid: id }: z.infer<typeof EntryPath>,
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
      return c.json(as(DeadLetterDetailsSchema, snakeKeys(entry)), 201);
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
