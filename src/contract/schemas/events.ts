import { z } from 'zod';
import { NAMES } from './names.ts';
import { userFields, userJson } from './user-json.ts';

export const EventSchema = z
  .object({
    id: z.int(),
    event_id: z.uuid(),
    name: z.string(),
    version: z.string(),
    task_uuid: z.uuid(),
    step_uuid: z.uuid(),
    step_name: z.string(),
    namespace: z.string(),
    correlation_id: z.string(),
    attempt: z.int(),
    publisher: z.string(),
    fired_at: z.string(),
    payload: userJson('payload'),
    metadata: userFields('public'),
    execution_result: userJson('result'),
  })
  .register(NAMES, { id: 'DomainEvent' });

export const GroupSchema = z
  .object({
    name: z.string(),
    patterns: z.array(z.string()),
    waiting: z.int().meta({ description: 'Number of events that the group has not received yet.' }),
    seconds_behind: z.number(),
    retrying: z.int(),
    dead: z.int(),
    members: z.int(),
    members_differ: z.boolean(),
    created_at: z.string(),
    seen_at: z.string(),
  })
  .register(NAMES, { id: 'EventGroup' });

export const DeadSchema = z
  .object({ group: z.string(), attempts: z.int(), error: z.string(), died_at: z.string(), event: EventSchema })
  .register(NAMES, { id: 'DeadDelivery' });
