import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { snakeKeys } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';
import { asFilter, type EventFilterOptions, eventTable } from './views.ts';

/** Options of `tasker event list`. */
export interface EventListOptions extends GlobalOptions, Omit<EventFilterOptions, 'before'> {
  limit: number;
  /** A time, or the id of an event. */
  before?: Date | string;
}

/** `tasker event list`: durable events, the newest first. */
export async function eventList(options: EventListOptions): Promise<void> {
  const { limit, before, json } = options;
  await withTasker(options, {}, async (tasker) => {
    // Many events may have one time: pages go on by an event.
    const page = typeof before === 'string' ? { beforeId: (await tasker.events.get(before)).id } : {};
    const chosen = asFilter({ ...options, before: before instanceof Date ? before : undefined });
    const events = await tasker.events.list({ ...chosen, ...page, limit });
    if (json) return printJson(events.map(snakeKeys));
    if (events.length === 0) return note(noneOf(options));
    print(eventTable(events, Date.now()));
    if (events.length === limit) note(`more may be there: --before ${events.at(-1)!.eventId}`);
  });
}

function noneOf({ name }: EventListOptions): string {
  // Whoever gives the first word of a name means all that begin with it.
  const wider = name !== undefined && /^[\w.]+$/.test(name) ? `; ${name} is one name, ${name}.* are all below it` : '';
  return `no such events; those that are older than their retention are gone${wider}`;
}
