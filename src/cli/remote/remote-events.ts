import { setTimeout as sleep } from 'node:timers/promises';
import type { Tasker } from '../../app/tasker.ts';
import type { Client, DomainEventInfo } from '../../client/index.ts';
import { TaskerError } from '../../errors.ts';
import { camelKeys, snakeQuery } from './camel-keys.ts';
import { actOf, positionCursor } from './requests.ts';

type Events = Tasker['events'];
type LoggedEvent = Awaited<ReturnType<Events['list']>>[number];

/** Returns the conditions on events under the names of the API. */
function eventQuery({ taskUuid, ...filter }: { taskUuid?: string | undefined }): object {
  return snakeQuery({ ...filter, task: taskUuid });
}

/** `tasker.events` of a server. */
export function remoteEvents({ events }: Client): Partial<Events> {
  const group: Events['group'] = async (name) => {
    const { groups } = await events.groups();
    const found = groups.find((one) => one.name === name);
    if (found) return camelKeys(found);
    const names = groups.map((one) => one.name).join(', ');
    throw new TaskerError(
      'event_group_not_found',
      `event group ${name} not found; ${names === '' ? 'no group exists yet' : `the groups are ${names}`}`,
    );
  };
  return {
    group,
    groups: async () => camelKeys((await events.groups()).groups),
    list: async ({ beforeId, ...filter } = {}) => {
      const cursor = beforeId === undefined ? {} : { cursor: positionCursor(beforeId) };
      return camelKeys((await events.list({ ...eventQuery(filter), ...cursor })).events);
    },
    get: async (id) => {
      const { envelope: _, ...event } = await events.get(id);
      return camelKeys(event);
    },
    envelope: async (id) => (await events.get(id)).envelope as never,
    dead: async ({ eventId, ...filter } = {}) =>
      camelKeys((await events.dead(snakeQuery({ ...filter, event: eventId }) as object)).dead),
    redeliver: async ({ group, eventId }, by) =>
      (await events.redeliver({ group, ...(eventId !== undefined && { event: eventId }), ...actOf(by) })).redelivered,
    discard: async ({ group, eventId }, by) =>
      (await events.discard({ group, ...(eventId !== undefined && { event: eventId }), ...actOf(by) })).discarded,
    countReplay: async ({ group, ...filter }) =>
      (await events.replay({ group, ...eventQuery(filter), dry_run: true })).would_replay ?? 0,
    replay: async ({ group, ...filter }, { onProgress: _, ...by } = {}) =>
      (await events.replay({ group, ...eventQuery(filter), ...actOf(by) })).replayed,
    removeGroup: async (name, by) => void (await events.removeGroup(name, actOf(by))),
    watch: ({ signal, ...filter } = {}) => watch(events, eventQuery(filter) as { after?: string }, signal),
  };
}

const POLL_MS = 1_000;
/** Number of events that each poll reads again, because events with smaller ids may be committed later. */
const OVERLAP = 200;

/** Returns new events, oldest first. Without `after`, events from now on. */
async function* watch(
  events: Client['events'],
  filter: { after?: string },
  signal: AbortSignal | undefined,
): AsyncGenerator<LoggedEvent> {
  const seen = new Set<number>();
  if (filter.after === undefined) {
    for (const { id } of (await events.list({ ...filter, limit: OVERLAP })).events) seen.add(id);
  }
  while (!signal?.aborted) {
    const fresh: DomainEventInfo[] = [];
    let known = 0;
    for await (const event of events.listAll({ ...filter, limit: OVERLAP })) {
      if (!seen.has(event.id)) fresh.push(event);
      else if (++known === OVERLAP) break;
    }
    for (const event of fresh.reverse()) {
      seen.add(event.id);
      yield camelKeys(event);
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}
