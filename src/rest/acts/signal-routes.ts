import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { sentJson, signalJson, taskSignalJson } from '../../app/json/acts.ts';
import type { SignalTarget } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { as } from '../../contract/schemas/acts.ts';
import {
  SentSchema,
  type SignalBody,
  SignalSchema,
  type TargetedBody,
  TaskSignalsSchema,
} from '../../contract/schemas/signals.ts';
import { signals } from '../../contract/signals.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkNamespace, checkSeesAll, checkVisible, maySee } from '../scope.ts';
import { personOf } from './operator.ts';

const SEND = describeRoute(signals.send);
const SEND_TO = describeRoute(signals.sendTo);
const LIST = describeRoute(signals.list);
const SHOW = describeRoute(signals.get);

/** Routes for signals. */
export function signalRoutes(tasker: Tasker): OpenAPIHono {
  const send = async (c: Context, target: SignalTarget, body: z.infer<typeof SignalBody>, key: string | undefined) => {
    const { name, idempotency_key: idempotencyKey = key, by } = body;
    const sent = await tasker.signal(target, name, body.payload ?? null, { by: personOf(c, by), idempotencyKey });
    return as(SentSchema, sentJson(sent));
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(SEND, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      return c.json(await send(c, uuid, c.req.valid('json'), c.req.valid('header')['idempotency-key']), 201);
    })
    .openapi(SEND_TO, async (c) => {
      const body = c.req.valid('json');
      const target = targetOf(body);
      if ('correlationId' in target) checkSeesAll(callerOf(c), 'a signal to a correlation id', 'template and key');
      else checkNamespace(callerOf(c), target.namespace, `template ${body.template}`);
      return c.json(await send(c, target, body, c.req.valid('header')['idempotency-key']), 201);
    })
    .openapi(LIST, async (c) => {
      const { uuid } = c.req.valid('param');
      const { name, kept, limit, cursor } = c.req.valid('query');
      await checkVisible(tasker, callerOf(c), uuid);
      const page = await tasker.listSignals(uuid, { name, kept: kept === 'true', limit, cursor });
      const signals = page.signals.map((one) => taskSignalJson(readable(c, one)));
      return c.json(as(TaskSignalsSchema, { signals, next_cursor: page.nextCursor }), 200);
    })
    .openapi(SHOW, async (c) => {
      const { signal_id: id } = c.req.valid('param');
      const signal = await tasker.getSignal(id);
      if (!signal || !(await seesTasks(tasker, c, signal))) {
        throw new TaskerError(
          'not_found',
          `signal ${id} not found; GET /v1/tasks/{uuid}/signals lists the signals of a task`,
        );
      }
      return c.json(as(SignalSchema, signalJson(readable(c, signal))), 200);
    });
}

function targetOf({ correlation_id: correlationId, template, key }: z.infer<typeof TargetedBody>) {
  if (correlationId !== undefined && template === undefined && key === undefined) return { correlationId };
  if (correlationId !== undefined || template === undefined || key === undefined) {
    throw new TaskerError(
      'bad_request',
      'pass correlation_id, or template (namespace/name) and key, the key of the task',
    );
  }
  const [, namespace, name, version] = /^([^/@]+)\/([^/@]+)(?:@([^/@]+))?$/.exec(template) ?? [];
  if (namespace === undefined || name === undefined) {
    throw new TaskerError('bad_request', 'template must be namespace/name or namespace/name@version');
  }
  return { namespace, name, version, idempotencyKey: key };
}

function readable<S extends { payload: unknown }>(c: Context, signal: S): S {
  return callerOf(c).allows('tasks:context_read') ? signal : { ...signal, payload: null };
}

/** Returns whether the caller may see a task that has the signal. */
async function seesTasks(tasker: Tasker, c: Context, { tasks }: { tasks: readonly { taskUuid: string }[] }) {
  const caller = callerOf(c);
  if (caller.namespaces === undefined) return true;
  for (const { taskUuid } of tasks) {
    if (!maySee(caller, (await tasker.getTask(taskUuid)).namespace)) return false;
  }
  return tasks.length > 0;
}
