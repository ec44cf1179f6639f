import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { httpWorkersOf } from '../../app/http-workers/http-workers-of.ts';
import { givenStepJson, PROTOCOL, reportOf, type WireReport } from '../../app/http-workers/wire.ts';
import type { Tasker } from '../../app/tasker.ts';
import { as } from '../../contract/schemas/action-results.ts';
import {
  BatchAnswerSchema,
  BatchSchema,
  CheckpointSchema,
  ClaimedSchema,
  ClaimSchema,
  CompleteSchema,
  FailSchema,
  HeartbeatAnswerSchema,
  HeartbeatSchema,
  RegisteredSchema,
  RegisterSchema,
  ReleaseSchema,
  ReportedSchema,
} from '../../contract/schemas/worker-protocol.ts';
import { TaskerError } from '../../errors.ts';
import { checkUuid } from '../../model/ids.ts';
import { wireError } from '../../server/error-answer.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkNamespace, maySee } from '../scope.ts';

const WORK = { method: 'post', permission: 'steps:work', on: 'visible', tag: 'work' } as const;
const StepPath = z.object({ uuid: z.string() });

const REGISTER = describeRoute({
  ...WORK,
  path: '/v1/workers',
  summary: 'Registers a worker that uses this API',
  takes: { body: RegisterSchema },
  gives: RegisteredSchema,
  status: 201,
  errors: [404],
});
const HEARTBEAT = describeRoute({
  ...WORK,
  path: '/v1/workers/{id}/heartbeat',
  summary: 'Extends the lease of a worker, and returns the steps that it must stop',
  takes: {
    path: z.object({
      id: z.coerce
        .number()
        .int()
        .min(1)
        .max(2 ** 29),
    }),
    body: HeartbeatSchema,
  },
  gives: HeartbeatAnswerSchema,
  errors: [404, 409],
});
const CLAIM = describeRoute({
  ...WORK,
  path: '/v1/steps/claim',
  summary: 'Claims steps for a worker, and waits for steps if requested',
  takes: { body: ClaimSchema },
  gives: ClaimedSchema,
  errors: [404, 409],
});
const BATCH = describeRoute({
  ...WORK,
  path: '/v1/steps/batch',
  summary: 'Completes, fails, releases and checkpoints many steps',
  description:
    'The response has an entry for each step, in the same order. A rejected step does not affect the others.',
  takes: { body: BatchSchema },
  gives: BatchAnswerSchema,
});
const one = <Action extends string, Body extends z.ZodType>(action: Action, body: Body, summary: string) =>
  describeRoute({
    ...WORK,
    path: `/v1/steps/{uuid}/${action}`,
    summary,
    takes: { path: StepPath, body: body },
    gives: ReportedSchema,
    errors: [409],
  });
const COMPLETE = one('complete', CompleteSchema, 'Completes a step that a worker has claimed');
const FAIL = one('fail', FailSchema, 'Fails the attempt at a step that a worker has claimed');
const CHECKPOINT = one('checkpoint', CheckpointSchema, 'Saves the progress of a step, and restarts its timeout');
const RELEASE = one('release', ReleaseSchema, 'Returns a step to the queue without spending an attempt');

/** The routes of workers that use this API. A worker is visible to callers that may see all its namespaces. */
export function workRoutes(tasker: Tasker): OpenAPIHono {
  const httpWorkers = httpWorkersOf(tasker);
  const sees = (c: Context, { namespaces }: { namespaces: readonly string[] }) =>
    namespaces.every((namespace) => maySee(callerOf(c), namespace));
  const workerOf = async (c: Context, id: number) => {
    const worker = await httpWorkers.worker(id);
    if (worker && sees(c, worker)) return worker;
    throw new TaskerError('worker_not_found', `HTTP worker ${id} not found; register it first`);
  };
  const report = (c: Context, reports: readonly WireReport[]) =>
    httpWorkers.report(reports.map(reportOf), (worker) => sees(c, worker));
  const reportOne = async (
    c: Context,
    body: Omit<WireReport, 'step_uuid' | 'action'>,
    action: WireReport['action'],
  ) => {
    const step_uuid = checkUuid(c.req.param('uuid')!, 'the step id');
    const [answer] = await report(c, [{ ...body, step_uuid, action }]);
    if (answer!.outcome === 'refused') throw answer!.error;
    return { step_uuid, outcome: answer!.outcome, error_type: answer!.errorType };
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(REGISTER, async (c) => {
      const { protocol, ...worker } = c.req.valid('json');
      if (protocol !== PROTOCOL) {
        throw new TaskerError(
          'bad_request',
          `protocol: this server uses version ${PROTOCOL}, and the worker uses version ${protocol}`,
        );
      }
      for (const namespace of worker.namespaces) checkNamespace(callerOf(c), namespace, `namespace ${namespace}`);
      const { id } = await httpWorkers.register(worker);
      const { leaseMs, heartbeatMs } = httpWorkers.times;
      return c.json({ worker_id: id, protocol, lease_ms: leaseMs, heartbeat_ms: heartbeatMs }, 201);
    })
    .openapi(HEARTBEAT, async (c) => {
      const { id } = c.req.valid('param');
      const { steps, hung, phase } = c.req.valid('json');
      await workerOf(c, id);
      const held = steps.map(({ step_uuid: stepUuid, fence }) => ({ stepUuid, fence }));
      const { drain, stop } = await httpWorkers.heartbeat({ workerId: id, steps: held, hung, phase });
      const stopped = stop.map(({ stepUuid: step_uuid, fence, reason }) => ({ step_uuid, fence, reason }));
      return c.json({ drain, stop: stopped }, 200);
    })
    .openapi(CLAIM, async (c) => {
      const { worker_id: id, request_id: request, slots, wait_ms: waitMs, ...wish } = c.req.valid('json');
      const worker = await workerOf(c, id);
      const namespaces = within(worker.namespaces, wish.namespaces, 'namespaces');
      const handlers = within(worker.callables, wish.handlers, 'handlers');
      const { signal } = c.req.raw;
      const claimed = await httpWorkers.claim({ worker, request, slots, waitMs, namespaces, handlers, signal });
      const steps = claimed.steps.map((step) => givenStepJson(step, httpWorkers.timeoutMs(step)));
      return c.json(as(ClaimedSchema, { steps, drain: claimed.drain }), 200);
    })
    .openapi(BATCH, async (c) => {
      const { steps } = c.req.valid('json');
      const answers = await report(c, steps as WireReport[]);
      return c.json(
        { steps: answers.map((answer, i) => ({ step_uuid: steps[i]!.step_uuid, ...batchAnswer(answer) })) },
        200,
      );
    })
    .openapi(COMPLETE, async (c) => c.json(await reportOne(c, c.req.valid('json'), 'complete'), 200))
    .openapi(FAIL, async (c) => c.json(await reportOne(c, c.req.valid('json'), 'fail'), 200))
    .openapi(CHECKPOINT, async (c) => c.json(await reportOne(c, c.req.valid('json'), 'checkpoint'), 200))
    .openapi(RELEASE, async (c) => c.json(await reportOne(c, c.req.valid('json'), 'release'), 200));
}

type Answer = Awaited<ReturnType<ReturnType<typeof httpWorkersOf>['report']>>[number];

function batchAnswer(answer: Answer) {
  if (answer.outcome !== 'refused') return { outcome: answer.outcome, error_type: answer.errorType, error: null };
  const { code, message } = wireError(answer.error);
  return { outcome: answer.outcome, error_type: null, error: { code, message } };
}

/** Returns the wanted names, which the worker must have registered. Default: all of them. */
function within(registered: readonly string[], wanted: readonly string[] | undefined, what: string): readonly string[] {
  const foreign = wanted?.find((name) => !registered.includes(name));
  if (foreign === undefined) return wanted ?? registered;
  throw new TaskerError('bad_request', `${what}: the worker did not register ${foreign}; register again with it`);
}
