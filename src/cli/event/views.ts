import type { Tasker } from '../../app/tasker.ts';
import { spanOf, table } from '../show/text.ts';

/** Options of the commands that choose events. */
export interface EventFilterOptions {
  name?: string;
  task?: string;
  after?: Date | undefined;
  before?: Date | undefined;
}

/** A durable event. */
export type Event = Awaited<ReturnType<Tasker['events']['list']>>[number];
/** A group and how far it came. */
export type Group = Awaited<ReturnType<Tasker['events']['groups']>>[number];

/** What the options choose. */
export function asFilter({ name, task, after, before }: EventFilterOptions) {
  return {
    ...(name !== undefined && { name }),
    ...(task !== undefined && { taskUuid: task }),
    ...(after !== undefined && { after }),
    ...(before !== undefined && { before }),
  };
}

/** Events as a table, a line each. */
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
