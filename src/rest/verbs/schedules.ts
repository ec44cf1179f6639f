import type { Schedule, ScheduleChange, ScheduleFilter, ScheduleOptions } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { camelCase } from '../../model/key-case.ts';
import type { Caller } from '../caller.ts';
import { checkNamespace, maySee } from '../scope.ts';
import type { BodiesOf, Sender } from '../verb-routes.ts';

/** The largest page of schedules. */
const LARGEST_PAGE = 1000;
const namespaceOf = (template: string) => template.split('/')[0]!;

/** The bodies of the verbs for schedules. */
export function scheduleVerbs(tasker: Tasker): BodiesOf<'schedules'> {
  const { schedules } = tasker;
  const paused = async (verb: 'pause' | 'resume', name: string, { caller, operator }: Sender) => ({
    changed: await schedules[verb](name, operator),
    ...readable(caller, await schedules.get(name)),
  });
  return {
    async list({ limit, cursor, ...filter }, { caller }) {
      const { seen, next } = await visiblePage(tasker, caller, { filter, limit, cursor });
      return { schedules: seen.map((one) => readable(caller, one)), nextCursor: next };
    },
    async get({ name, limit, before }, { caller }) {
      const schedule = await schedules.get(name);
      const last = await schedules.firings(name, { limit, ...(before !== undefined && { before }) });
      return readable(caller, { ...schedule, last });
    },
    async create({ reason: _, by: __, paused: isPaused, if_exists: ifExists, ...settings }, { caller, operator }) {
      checkNamespace(caller, namespaceOf(settings.template), `template ${settings.template}`);
      if (ifExists !== 'error') await checkExisting(tasker, caller, settings.name);
      const options = { ...operator, paused: isPaused, ifExists };
      const created = await schedules.create(camelKeys(settings) as unknown as ScheduleOptions, options);
      return readable(caller, created);
    },
    async update({ name, reason: _, by: __, ...change }, { caller, operator }) {
      if (Object.keys(change).length === 0)
        throw new TaskerError(
          'bad_request',
          'the body has no setting to change; pass at least one, such as cron or input',
        );
      if (typeof change.template === 'string') {
        checkNamespace(caller, namespaceOf(change.template), `template ${change.template}`);
      }
      return readable(caller, await schedules.update(name, camelKeys(change) as ScheduleChange, operator));
    },
    async delete({ name }, { operator }) {
      await schedules.delete(name, operator);
      return { deleted: name };
    },
    pause: ({ name }, sender) => paused('pause', name, sender),
    resume: ({ name }, sender) => paused('resume', name, sender),
    async trigger({ name, context, idempotency_key: key }, { operator }) {
      const taskUuid = await schedules.trigger(name, {
        ...operator,
        ...(context !== undefined && { context }),
        ...(key !== undefined && { idempotencyKey: key }),
      });
      return { taskUuid };
    },
  };
}

function readable(caller: Caller, schedule: Schedule): Schedule {
  return caller.allows('tasks:context_read') ? schedule : { ...schedule, context: {} };
}

/** Returns a page of the schedules that the caller may see. The cursor is the name of such a schedule. */
async function visiblePage(
  tasker: Tasker,
  caller: Caller,
  { filter, limit, cursor }: { filter: ScheduleFilter; limit: number; cursor: string | undefined },
): Promise<{ seen: Schedule[]; next: string | null }> {
  const size = caller.namespaces === undefined ? limit : LARGEST_PAGE;
  const seen: Schedule[] = [];
  let after = cursor;
  let more = true;
  // One item more than the page shows whether there is a next page.
  while (more && seen.length <= limit) {
    const found = await tasker.schedules.list(filter, { limit: size, after });
    seen.push(...found.filter(({ template }) => maySee(caller, namespaceOf(template))));
    after = found.at(-1)?.name;
    more = found.length === size && (caller.namespaces !== undefined || seen.length < limit);
  }
  const isFull = caller.namespaces === undefined ? seen.length === limit : seen.length > limit;
  const page = seen.slice(0, limit);
  return { seen: page, next: isFull ? page.at(-1)!.name : null };
}

/** A create request must not let a credential read or update a schedule of another namespace. */
async function checkExisting(tasker: Tasker, caller: Caller, name: string): Promise<void> {
  if (caller.namespaces === undefined) return;
  const found = await tasker.schedules.get(name).catch(() => undefined);
  if (!found || maySee(caller, namespaceOf(found.template))) return;
  throw new TaskerError('conflict', `schedule ${name} already exists; choose another name`);
}

/** Returns settings with the keys of the library. */
function camelKeys(settings: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [camelCase(key), value]));
}
