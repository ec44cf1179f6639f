import { z } from 'zod';
import { named } from './schemas/action-results.ts';
import { DeadSchema, EventSchema, GroupSchema } from './schemas/events.ts';
import { NAMES } from './schemas/names.ts';
import { ActBody, OPERATOR } from './schemas/operator.ts';
import { pageFields, pageQuery, time } from './schemas/query.ts';
import { userFields } from './schemas/user-json.ts';
import { verb } from './verb.ts';

const group = named(128);

const DeadBody = z
  .strictObject({
    ...OPERATOR,
    group,
    event: named().optional().meta({ description: 'The id of one event. Default: all dead deliveries of the group.' }),
  })
  .register(NAMES, { id: 'DeadDeliveriesRequest' });

/** The verbs for events. */
export const events = {
  list: verb({
    method: 'get',
    path: '/v1/events',
    on: 'visible',
    permission: 'events:read',
    summary: 'Lists durable events, newest first',
    takes: {
      query: z.object({
        name: z.string().optional().meta({ description: 'A name or a pattern.', example: 'payment.*' }),
        task: z.string().optional().meta({ description: 'The id of a task.' }),
        after: time.optional(),
        before: time.optional(),
        ...pageQuery(),
      }),
    },
    gives: z.object({ events: z.array(EventSchema), ...pageFields }).register(NAMES, { id: 'EventList' }),
  }),
  groups: verb({
    method: 'get',
    path: '/v1/events/groups',
    on: 'installation',
    permission: 'events:read',
    summary: 'Lists the groups that receive events, with the lag of each',
    gives: z.object({ groups: z.array(GroupSchema), ...pageFields }).register(NAMES, { id: 'EventGroupList' }),
  }),
  dead: verb({
    method: 'get',
    path: '/v1/events/dead',
    on: 'visible',
    permission: 'events:read',
    summary: 'Lists dead deliveries, newest first',
    takes: {
      query: z.object({
        group: z.string().optional(),
        event: z.string().optional().meta({ description: 'The id of an event.' }),
        ...pageQuery(),
      }),
    },
    gives: z.object({ dead: z.array(DeadSchema), ...pageFields }).register(NAMES, { id: 'DeadDeliveryList' }),
    errors: [404],
  }),
  get: verb({
    method: 'get',
    path: '/v1/events/{event_id}',
    on: 'visible',
    permission: 'events:read',
    summary: 'Returns a durable event, and its envelope as sinks send it',
    takes: { path: z.object({ event_id: z.string() }) },
    gives: EventSchema.extend({ envelope: userFields('payload') }).register(NAMES, {
      id: 'DomainEventWithEnvelope',
    }),
    errors: [404],
  }),
  replay: verb({
    method: 'post',
    path: '/v1/events/replay',
    on: 'installation',
    permission: 'events:replay',
    summary: 'Delivers past events to a group again, or counts them',
    takes: {
      body: z
        .strictObject({
          ...OPERATOR,
          group,
          name: named().optional().meta({ description: 'A pattern of event names, such as `payment.*`.' }),
          task: named().optional(),
          after: time.optional(),
          before: time.optional(),
          dry_run: z.boolean().default(false),
        })
        .register(NAMES, { id: 'ReplayRequest' }),
    },
    gives: z
      .object({ group: z.string(), replayed: z.int(), would_replay: z.int().optional() })
      .register(NAMES, { id: 'Replay' }),
    errors: [404],
  }),
  redeliver: verb({
    method: 'post',
    path: '/v1/events/dead/redeliver',
    on: 'installation',
    permission: 'events:replay',
    summary: 'Delivers the dead deliveries of a group again',
    takes: { body: DeadBody },
    gives: z.object({ group: z.string(), redelivered: z.int() }),
    errors: [404],
  }),
  discard: verb({
    method: 'post',
    path: '/v1/events/dead/discard',
    on: 'installation',
    permission: 'events:replay',
    summary: 'Deletes the dead deliveries of a group',
    takes: { body: DeadBody },
    gives: z.object({ group: z.string(), discarded: z.int() }),
    errors: [404],
  }),
  removeGroup: verb({
    method: 'delete',
    path: '/v1/events/groups/{group}',
    on: 'installation',
    permission: 'events:replay',
    summary: 'Removes a group with its waiting events and dead deliveries',
    takes: { path: z.object({ group: z.string() }), optionalBody: ActBody },
    gives: z.object({ group: z.string(), removed: z.literal(true) }),
    errors: [404],
  }),
};
