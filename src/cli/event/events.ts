import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { fields, spanOf, table } from '../show/text.ts';
import { listenForStop } from '../stop-signal.ts';
import { withTasker } from '../with-tasker.ts';

/** Options of `tasker event list`. */
export interface EventListOptions extends GlobalOptions, Omit<EventFilterOptions, 'before'> {
  limit: number;
  /** A time, or the id of an event. */
  before?: Date | string;
}

/** `tasker event list`: lists durable events, newest first. */
export async function eventList(options: EventListOptions): Promise<void> {
  const { limit, before, json } = options;
  await withTasker(options, {}, async (tasker) => {
    // Many events can have the same time, so the next page starts at an event.
    const page = typeof before === 'string' ? { beforeId: (await tasker.events.get(before)).id } : {};
    const chosen = asFilter({ ...options, before: before instanceof Date ? before : undefined });
    const events = await tasker.events.list({ ...chosen, ...page, limit });
    if (json) return printJson(events.map(snakeKeys));
    if (events.length === 0) return note(noneOf(options));
    print(eventTable(events, Date.now()));
    if (events.length === limit) note(`there may be more: --before ${events.at(-1)!.eventId}`);
  });
}

function noneOf({ name }: EventListOptions): string {
  // The user may have meant a name without a wildcard as a prefix.
  const wider =
    name !== undefined && /^[\w.]+$/.test(name)
      ? `; --name ${name} matches only this name, and ${name}.* matches all names below it`
      : '';
  return `no events match; events older than their retention have been deleted${wider}`;
}

/** `tasker event show`: shows an event. With `--json`, in the form of `event list`, plus its envelope. */
export async function eventShow(eventId: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const event = await tasker.events.get(eventId);
    if (options.json) return printJson({ ...snakeKeys(event), envelope: await tasker.events.envelope(eventId) });
    print(
      fields([
        ['event', event.eventId],
        ['name', `${event.name} (version ${event.version})`],
        ['fired', event.firedAt],
        ['publisher', event.publisher],
        ['task', event.taskUuid],
        ['step', `${event.stepName}, attempt ${event.attempt}`],
        ['namespace', event.namespace],
        ['correlation', event.correlationId],
      ]),
    );
    for (const [title, value] of [
      ['payload', event.payload],
      ['metadata', event.metadata],
      ['execution result', event.executionResult],
    ] as const) {
      print(`\n${pc.dim(title)}\n${JSON.stringify(value, null, 2)}`);
    }
  });
}

/** `tasker event tail`: prints new durable events, one per line, until Ctrl-C. */
export async function eventTail(options: GlobalOptions & EventFilterOptions): Promise<void> {
  const stop = listenForStop();
  try {
    await withTasker(options, { listen: true }, async (tasker) => {
      if (!options.json) note(`following ${tasker.place}; press Ctrl-C to stop`);
      for await (const event of tasker.events.watch({ ...asFilter(options), signal: stop.signal })) {
        print(options.json ? JSON.stringify(snakeKeys(event)) : lineOf(event));
      }
    });
  } finally {
    stop.release();
  }
}

function lineOf({ firedAt, name, stepName, taskUuid, payload }: Event): string {
  return `${pc.dim(firedAt)} ${name} ${pc.dim(`${stepName} of ${taskUuid}`)} ${JSON.stringify(payload)}`;
}

/** Options that select events. */
export interface EventFilterOptions {
  name?: string;
  task?: string;
  after?: Date | undefined;
  before?: Date | undefined;
}

/** A durable event. */
export type Event = Awaited<ReturnType<Tasker['events']['list']>>[number];
/** A subscriber group and its progress. */
export type Group = Awaited<ReturnType<Tasker['events']['groups']>>[number];

/** Returns the filter that the options describe. */
export function asFilter({ name, task, after, before }: EventFilterOptions) {
  return { name, taskUuid: task, after, before };
}

/** Returns events as a table, one per line. */
export function eventTable(events: readonly Event[], now: number): string {
  const rows = events.map(({ eventId, name, taskUuid, stepName, firedAt }) => [
    eventId,
    name,
    taskUuid,
    stepName,
    `${spanOf(now - Date.parse(firedAt))} ago`,
  ]);
  return table(['event', 'name', 'task', 'step', 'fired'], rows);
}
