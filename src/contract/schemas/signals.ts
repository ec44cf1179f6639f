import { z } from 'zod';
import { named, time, timeOrNull } from './action-results.ts';
import { NAMES } from './names.ts';
import { userJson } from './user-json.ts';

export const SIGNAL = {
  name: named(128),
  payload: userJson('payload', { description: 'Any JSON of at most 1 MB. Default null.' }).optional(),
  idempotency_key: named(256).optional(),
  by: named(256).optional(),
};

export const SignalBody = z.strictObject(SIGNAL).register(NAMES, { id: 'SignalRequest' });
export const TargetedBody = z
  .strictObject({
    ...SIGNAL,
    correlation_id: z.uuid().optional().meta({ description: 'All open tasks with this correlation id.' }),
    template: named(500).optional().meta({ description: 'With `key`: `namespace/name` or `namespace/name@version`.' }),
    key: named(10_000).optional().meta({ description: 'The idempotency key of the task.' }),
  })
  .register(NAMES, { id: 'TargetedSignalRequest' });

export const SentSchema = z
  .object({
    signal_id: z.uuid(),
    status: z.enum(['received', 'pending']),
    tasks: z.array(
      z.object({
        task_uuid: z.uuid(),
        status: z.enum(['used', 'held', 'kept']),
        step: z.string().nullable(),
        duplicate: z.boolean(),
      }),
    ),
  })
  .register(NAMES, { id: 'SentSignal' });

export const about = {
  signal_id: z.uuid(),
  name: z.string(),
  idempotency_key: z.string().nullable(),
  by: z.string().nullable(),
};

export const payload = userJson('payload', { description: 'Null without the permission tasks:context_read.' });
export const TaskSignalsSchema = z
  .object({
    signals: z.array(
      z.object({
        ...about,
        arrived_at: time,
        status: z.enum(['used', 'held', 'kept']),
        step: z.string().nullable(),
        used_at: timeOrNull,
        payload,
      }),
    ),
    next_cursor: z.string().nullable(),
  })
  .register(NAMES, { id: 'TaskSignals' });

export const SignalSchema = z
  .object({
    ...about,
    sent_at: time,
    status: z.enum(['received', 'pending', 'refused']),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    payload,
    tasks: SentSchema.shape.tasks,
  })
  .register(NAMES, { id: 'Signal' });
