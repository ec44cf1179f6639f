import { z } from 'zod';
import { JOIN, RUN_IF } from '../../model/routes.ts';
import { NAMES } from './names.ts';
import { stepState, taskState } from './states.ts';
import { Elements, OpenWaitSchema } from './task-details.ts';

export const nullableTime = z.string().nullable();
export const Edges = {
  edges: z.array(z.object({ from: z.string(), to: z.string() })),
  edges_truncated: z.boolean().meta({ description: 'True if there are more than 50,000 edges.' }),
};

/** The conditions of a step, in its template. */
export const Conditions = {
  run_if: z.enum(RUN_IF).nullable().meta({
    description: 'The ends of its dependencies after which the step runs. Null if the template does not say.',
  }),
  join: z.enum(JOIN).nullable().meta({
    description:
      'any: the step starts when the first of its dependencies completes. Null if the template does not say.',
  }),
  when: z
    .string()
    .nullable()
    .meta({ description: 'The expression that decides whether the step is skipped. Null if it has none.' }),
  undo: z.string().nullable().meta({ description: 'The handler that undoes the step. Null if it has none.' }),
  element_of: z.string().nullable().meta({
    description: 'The step of the type for_each whose list it runs for, once for each element. Null for others.',
  }),
};

export const GraphSchema = z
  .object({
    task_uuid: z.uuid(),
    namespace: z.string(),
    name: z.string(),
    version: z.string(),
    status: taskState,
    created_at: z.string(),
    completed_at: nullableTime,
    nodes: z.array(
      z
        .object({
          name: z.string(),
          template_step_name: z.string(),
          type: z.string(),
          handler: z.string(),
          ...Conditions,
          state: z.string().nullable().meta({ description: 'Null if a decision or an analyzer may create the step.' }),
          step_uuid: z.uuid().nullable(),
          attempts: z.int(),
          max_attempts: z.int(),
          started_at: nullableTime,
          completed_at: nullableTime,
          duration_ms: z.number().nullable(),
          next_retry_at: nullableTime,
          wait: OpenWaitSchema,
          ...Elements,
          worker: z.string().nullable(),
          error: z.object({ error_type: z.string().nullable(), message: z.string() }).nullable(),
        })
        .register(NAMES, { id: 'TaskGraphNode' }),
    ),
    ...Edges,
  })
  .register(NAMES, { id: 'TaskGraph' });

export const TimelineSchema = z
  .object({
    task_uuid: z.uuid(),
    status: taskState,
    created_at: z.string(),
    starts_at: nullableTime,
    completed_at: nullableTime,
    now: z.string().meta({ description: 'The end of spans that have not ended.' }),
    steps: z.array(
      z.object({
        name: z.string(),
        template_step_name: z.string(),
        step_uuid: z.uuid(),
        handler: z.string(),
        state: stepState,
        spans: z.array(
          z
            .object({
              kind: z.enum(['queued', 'running', 'retry_wait', 'waiting', 'blocked']),
              from: z.string(),
              to: nullableTime.meta({ description: 'Null if the span has not ended.' }),
              until: nullableTime.meta({ description: 'The latest time at which the span ends, if known.' }),
              attempt: z.int().nullable(),
              worker: z.string().nullable(),
              outcome: z.string().nullable(),
              error: z.string().nullable(),
              ran_ms: z.number().nullable().meta({
                description:
                  'Milliseconds that the handler ran in an attempt that has ended. Null if it is unknown, and for other spans.',
              }),
            })
            .register(NAMES, { id: 'TimelineSpan' }),
        ),
      }),
    ),
    acts: z.array(
      z.object({
        at: z.string(),
        step: z.string().nullable(),
        what: z.string(),
        who: z.string(),
        why: z.string().nullable(),
      }),
    ),
  })
  .register(NAMES, { id: 'TaskTimeline' });
