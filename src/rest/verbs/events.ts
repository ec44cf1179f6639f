import type { Tasker } from '../../app/tasker.ts';
import { clockFor } from '../../engine/search/clock.ts';
import { timeOf } from '../../engine/search/filter.ts';
import { TaskerError } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import { fillPage } from '../fill-page.ts';
import { cursorAt, foreignCursor, onePage, pageAfter, positionOf } from '../positions.ts';
import { checkSeesAll, maySee } from '../scope.ts';
import type { BodiesOf } from '../verb-routes.ts';

type DeadDelivery = Awaited<ReturnType<Tasker['events']['dead']>>[number];
type LoggedEvent = Awaited<ReturnType<Tasker['events']['list']>>[number];

interface EventSearch {
  name?: string | undefined;
  taskUuid?: string | undefined;
  after?: string | undefined;
  before?: string | undefined;
}

/** Returns a page of the log. Its cursor is the position of its last event, which stays valid when events are added. */
export function eventPage(
  tasker: Tasker,
  search: EventSearch,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
) {
  const given = Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined));
  const place = cursor === undefined ? {} : { beforeId: positionOf(cursor) };
  return onePage(
    limit,
    (most) => tasker.events.list({ ...given, ...place, limit: most }),
    ({ id }) => cursorAt(id),
  );
}

/** @throws TaskerError `bad_request` if the parts are not those of a dead delivery */
function deadPlaceOf([diedAt = '', group = '', id = '']: string[]) {
  if (Number.isNaN(Date.parse(diedAt)) || !/^\d{1,15}$/.test(id)) throw foreignCursor();
  return { diedAt, group, event: { id: Number(id) } };
}

const WHOLE = { nextCursor: null, previousCursor: null };

/** The bodies of the verbs for the log of durable events, and for the groups that receive them. */
export function eventVerbs(tasker: Tasker): BodiesOf<'events'> {
  const { events } = tasker;
  const everywhere = (caller: Caller) => checkSeesAll(caller, 'a group of subscribers');
  const timesOf = async (after: string | undefined, before: string | undefined) => {
    const now = await clockFor(tasker.engine.database, after, before);
    return {
      after: timeOf(after, 'after', now) ?? undefined,
      before: timeOf(before, 'before', now) ?? undefined,
    };
  };
  const ofDead = ({ group, event }: { group: string; event?: string | undefined }) => ({
    group,
    ...(event !== undefined && { eventId: event }),
  });
  return {
    groups: async () => ({ groups: await events.groups(), ...WHOLE }),
    async dead({ group, event: eventId, ...page }, { caller }) {
      const visible = ({ event }: DeadDelivery) => maySee(caller, event.namespace);
      const { items, ...cursors } = await fillPage(page, visible, (part) =>
        pageAfter(
          part,
          (limit, place) => events.dead({ group, eventId, limit, before: place && deadPlaceOf(place) }),
          (one) => [one.diedAt, one.group, String(one.event.id)],
        ),
      );
      return { dead: items, ...cursors };
    },
    async list({ name, task: taskUuid, limit, cursor, after, before }, { caller }) {
      const times = await timesOf(after, before);
      const visible = ({ namespace }: LoggedEvent) => maySee(caller, namespace);
      const { items, ...cursors } = await fillPage({ limit, cursor }, visible, (page) =>
        eventPage(tasker, { name, taskUuid, ...times }, page),
      );
      return { events: items, ...cursors };
    },
    async get({ event_id: id }, { caller }) {
      const event = await events.get(id);
      if (!maySee(caller, event.namespace)) {
        throw new TaskerError('event_not_found', `durable event ${id} not found`);
      }
      return { ...event, envelope: { ...(await events.envelope(id)) } };
    },
    async replay({ group, name, task, after, before, dry_run: dryRun }, { caller, operator }) {
      everywhere(caller);
      const which = {
        group,
        ...(name !== undefined && { name }),
        ...(task !== undefined && { taskUuid: task }),
        ...(await timesOf(after, before)),
      };
      if (dryRun) return { group, replayed: 0, wouldReplay: await events.countReplay(which) };
      return { group, replayed: await events.replay(which, operator) };
    },
    async redeliver(given, { caller, operator }) {
      everywhere(caller);
      return { group: given.group, redelivered: await events.redeliver(ofDead(given), operator) };
    },
    async discard(given, { caller, operator }) {
      everywhere(caller);
      return { group: given.group, discarded: await events.discard(ofDead(given), operator) };
    },
    async removeGroup({ group }, { caller, operator }) {
      everywhere(caller);
      await events.removeGroup(group, operator);
      return { group, removed: true };
    },
  };
}
