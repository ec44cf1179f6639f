import { z } from 'zod';
import { cursor, named } from './schemas/action-results.ts';
import { TaskPath } from './schemas/paths.ts';
import { queryNumber } from './schemas/query.ts';
import { SentSchema, SignalBody, SignalSchema, TargetedBody, TaskSignalsSchema } from './schemas/signals.ts';
import { verb } from './verb.ts';

const KEY = z.object({ 'idempotency-key': named(256).optional() });

/** The verbs for signals. */
export const signals = {
  send: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/signals',
    on: 'task',
    permission: 'signals:send',
    summary: 'Sends a signal to a task',
    takes: { path: TaskPath, headers: KEY, body: SignalBody },
    gives: SentSchema,
    status: 201,
    errors: [404, 409],
    mcp: {
      name: 'signal_send',
      does: 'send signal {name} to task {task_uuid}',
      about: { payload: '', idempotency_key: 'A second signal with the same key has no effect.' },
    },
  }),
  sendTo: verb({
    method: 'post',
    path: '/v1/signals',
    on: 'visible',
    permission: 'signals:send',
    summary: 'Sends a signal to the tasks with a correlation id, or to the task with an idempotency key',
    takes: { headers: KEY, body: TargetedBody },
    gives: SentSchema,
    status: 201,
    errors: [404, 409],
  }),
  list: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/signals',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Lists the signals of a task in order of arrival',
    takes: {
      path: TaskPath,
      query: z.object({
        name: named(128).optional(),
        kept: z.enum(['true', 'false']).optional().meta({ description: 'Only signals that no step has used.' }),
        limit: queryNumber(50, { max: 1000 }),
        cursor,
      }),
    },
    gives: TaskSignalsSchema,
    errors: [404],
    mcp: { name: 'signal_list', description: 'Lists the signals that a task received.', without: ['name', 'kept'] },
  }),
  get: verb({
    method: 'get',
    path: '/v1/signals/{signal_id}',
    on: 'visible',
    permission: 'tasks:read',
    summary: 'Returns a signal with its outcome',
    takes: { path: z.object({ signal_id: z.string() }) },
    gives: SignalSchema,
    errors: [404],
  }),
};
