import { setTimeout as sleep } from 'node:timers/promises';
import type { Tasker } from '../../app/tasker.ts';
import type { Client, DomainEventInfo } from '../../client/index.ts';
import { TaskerError } from '../../errors.ts';
import { type CallVerb, decoded } from './call.ts';
import { positionCursor, requestOf } from './requests.ts';

type Events = Tasker['events'];
type LoggedEvent = Awaited<ReturnType<Events['list']>>[number];
type EventGroup = Awaited<ReturnType<Events['group']>>;

/** The methods of `tasker.events` that differ from the verbs of a server. */
export function remoteEvents({ events }: Client, call: CallVerb): Partial<Events> {
  const found = (id: string) => call<LoggedEvent & { envelope: unknown }>('events.get', id);
  return {
    group: async (name) => {
      const { groups } = await call<{ groups: EventGroup[] }>('events.groups');
      const one = groups.find((group) => group.name === name);
      if (one) return one;
      const names = groups.map((group) => group.name).join(', ');
      throw new TaskerError(
        'event_group_not_found',
        `event group ${name} not found; ${names === '' ? 'no group exists yet' : `the groups are ${names}`}`,
      );
    },
    list: async ({ beforeId, ...filter } = {}) => {
      const cursor = beforeId === undefined ? undefined : positionCursor(beforeId);
      return (await call<{ events: LoggedEvent[] }>('events.list', filter, { cursor })).events;
    },
    get: async (id) => {
      const { envelope: _, ...event } = await found(id);
      return event;
    },
    envelope: async (id) => (await found(id)).envelope as never,
    countReplay: async (of) =>
      (await call<{ wouldReplay?: number }>('events.replay', of, { dryRun: true })).wouldReplay ?? 0,
    watch: ({ signal, ...filter } = {}) => watch(events, requestOf(filter) as { after?: string }, signal),
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
      yield decoded<LoggedEvent>('events.get', event);
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}
