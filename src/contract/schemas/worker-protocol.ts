import { z } from 'zod';
import { isUuid } from '../../model/ids.ts';
import { isStorableText } from '../../model/json.ts';
import { NAMES } from './names.ts';
import { givenFields, userFields, userJson } from './user-json.ts';

/** Maximum number of steps in one request. */
const MOST_STEPS = 1000;
/** A claim number must be below this, because it is a part of the fence. */
const MOST_CLAIMS = 2 ** 24 - 1;
const MOST_MS = 2 ** 31 - 1;

const text = (longest: number) =>
  z.string().min(1).max(longest).refine(isStorableText, 'has characters that PostgreSQL cannot store');
const uuid = z.string().refine(isUuid, 'must be a UUID').meta({ format: 'uuid' });
const fence = z
  .string()
  .regex(/^\d{1,16}\.\d{1,9}\.\d{1,10}$/, 'is not a fence; send the fence that the claim returned')
  .meta({ description: 'The fence of the attempt, as the claim returned it.' });
const namespaces = z.array(text(60)).min(1).max(100);
const handlers = z
  .array(text(255).regex(/^[^~]/, 'must not begin with ~'))
  .min(1)
  .max(1000)
  .meta({ description: 'The callables that the worker runs, as templates name them.' });
const drain = z.boolean().meta({ description: 'Whether an operator asked the worker to stop taking steps.' });

export const RegisterSchema = z
  .strictObject({
    protocol: z.int().meta({ description: 'The version of the protocol that the worker speaks: 1.' }),
    name: text(128),
    instance: uuid.meta({
      description: 'Chosen by the worker when it starts. A repeated request with the same id is from the same worker.',
    }),
    namespaces,
    handlers,
    slots: z
      .int()
      .min(1)
      .max(10_000)
      .default(1)
      .meta({ description: 'Maximum number of steps that the worker runs at the same time.' }),
    host: text(255).default('unknown'),
    pid: z
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .default(0),
    version: text(100).optional(),
  })
  .register(NAMES, { id: 'WorkerRegistration' });

export const RegisteredSchema = z
  .object({
    worker_id: z.int(),
    protocol: z.int(),
    lease_ms: z.int(),
    heartbeat_ms: z.int().meta({ description: 'The interval at which to send heartbeats.' }),
  })
  .register(NAMES, { id: 'RegisteredWorker' });

export const ClaimSchema = z
  .strictObject({
    worker_id: z
      .int()
      .min(1)
      .max(2 ** 29),
    request_id: z.int().min(1).max(MOST_CLAIMS).meta({
      description:
        'Chosen by the worker: 1, 2, 3 and so on. A repeated request with the same number returns the same steps.',
    }),
    slots: z.int().min(1).max(MOST_STEPS).meta({ description: 'The maximum number of steps.' }),
    wait_ms: z.int().min(0).max(20_000).default(0).meta({ description: 'Maximum time to wait for steps.' }),
    namespaces: namespaces.optional().meta({ description: 'Default: the values of the registration.' }),
    handlers: handlers.optional().meta({ description: 'Default: the values of the registration.' }),
  })
  .register(NAMES, { id: 'ClaimRequest' });

const GivenStepSchema = z
  .object({
    step_uuid: z.uuid(),
    task_uuid: z.uuid(),
    fence: z.string(),
    name: z.string(),
    template_step_name: z.string(),
    handler: z.object({ callable: z.string(), method: z.string().nullable() }),
    task: z.object({
      name: z.string(),
      namespace: z.string(),
      version: z.string(),
      context: userFields('context'),
      correlation_id: z.string(),
      priority: z.int(),
      tags: z.array(z.string()),
      traceparent: z.string().nullable(),
    }),
    retry_count: z.int(),
    max_retries: z.int(),
    retryable: z.boolean(),
    step_config: userFields('public'),
    step_inputs: userFields('context'),
    inputs: userFields('context').optional(),
    dependency_results: z.record(
      z.string(),
      z.object({ success: z.boolean(), result: userJson('result'), error: userFields('public').nullable() }),
    ),
    results_left_out: z.array(z.string()).meta({ description: 'Steps whose results are too large to be included.' }),
    checkpoint: userFields('result').nullable(),
    timeout_ms: z.number().nullable(),
  })
  .register(NAMES, { id: 'GivenStep' });

export const ClaimedSchema = z
  .object({ steps: z.array(GivenStepSchema), drain })
  .register(NAMES, { id: 'ClaimedSteps' });

const common = {
  metadata: givenFields('public').optional(),
  handler_version: text(100).optional(),
  duration_ms: z.number().min(0).max(MOST_MS).optional(),
};
const complete = { ...common, result: userJson('result').optional() };
const fail = {
  ...common,
  message: z.string().min(1).max(100_000),
  error_type: z.string().min(1).max(200).optional(),
  error_code: z.string().min(1).max(200).optional(),
  status_code: z.int().optional(),
  retryable: z.boolean().default(true),
  retry_after: z
    .union([z.number().min(0), z.string().max(100)])
    .optional()
    .meta({ description: 'Seconds, or a date.' }),
  backtrace: z.array(z.string()).max(200).optional(),
};
const checkpoint = {
  cursor: userJson('result'),
  items_processed: z.number().min(0).optional(),
  accumulated_results: givenFields('result').nullable().optional(),
};

export const CompleteSchema = z.strictObject({ fence, ...complete }).register(NAMES, { id: 'CompleteStep' });
export const FailSchema = z.strictObject({ fence, ...fail }).register(NAMES, { id: 'FailStep' });
export const CheckpointSchema = z.strictObject({ fence, ...checkpoint }).register(NAMES, { id: 'CheckpointStep' });
export const ReleaseSchema = z.strictObject({ fence }).register(NAMES, { id: 'ReleaseStep' });

const of = <Action extends string>(action: Action) => ({ action: z.literal(action), step_uuid: uuid, fence });
export const BatchSchema = z
  .strictObject({
    steps: z
      .array(
        z.discriminatedUnion('action', [
          z.strictObject({ ...of('complete'), ...complete }),
          z.strictObject({ ...of('fail'), ...fail }),
          z.strictObject({ ...of('checkpoint'), ...checkpoint }),
          z.strictObject(of('release')),
        ]),
      )
      .min(1)
      .max(MOST_STEPS),
  })
  .register(NAMES, { id: 'StepReports' });

const OUTCOMES = ['completed', 'failed', 'released', 'saved'] as const;
const errorType = z.string().nullable().meta({ description: 'The type of the error, if the attempt failed.' });
export const ReportedSchema = z
  .object({ step_uuid: z.uuid(), outcome: z.enum(OUTCOMES), error_type: errorType })
  .register(NAMES, { id: 'ReportedStep' });
export const BatchAnswerSchema = z
  .object({
    steps: z.array(
      z.object({
        step_uuid: z.uuid(),
        outcome: z.enum([...OUTCOMES, 'refused']),
        error_type: errorType,
        error: z.object({ code: z.string(), message: z.string() }).nullable(),
      }),
    ),
  })
  .register(NAMES, { id: 'ReportedSteps' });

export const HeartbeatSchema = z
  .strictObject({
    steps: z
      .array(z.strictObject({ step_uuid: uuid, fence }))
      .max(10_000)
      .meta({ description: 'All steps that the worker holds.' }),
    hung: z.int().min(0).max(10_000).optional().meta({
      description:
        'Number of slots that handlers still hold although their steps were stopped. These steps are not in `steps`. If it is missing, the last number is kept.',
    }),
    phase: z.enum(['running', 'draining', 'stopped']).default('running').meta({
      description:
        'draining: the worker takes no steps. stopped: the worker has ended, and its steps return to the queue.',
    }),
  })
  .register(NAMES, { id: 'Heartbeat' });
export const HeartbeatAnswerSchema = z
  .object({
    drain,
    stop: z
      .array(
        z.object({
          step_uuid: z.uuid(),
          fence: z.string(),
          reason: z.enum(['cancelled', 'timed_out', 'lost', 'ended']),
        }),
      )
      .meta({
        description:
          'Steps that the worker must stop, because their outcomes would be rejected or are already recorded.',
      }),
  })
  .register(NAMES, { id: 'HeartbeatAnswer' });
