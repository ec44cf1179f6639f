import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { confirmed } from '../confirm.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { deadDeliveries, spanOf, table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

/** Options of `tasker event dead`. */
export interface EventDeadOptions extends GlobalOptions, OperatorFlags {
  /** Maximum number of dead deliveries to list. Default 20. */
  limit?: number;
  event?: string;
  redeliver?: boolean;
  discard?: boolean;
  yes?: boolean;
}

type Dead = Awaited<ReturnType<Tasker['events']['dead']>>[number];

/** `tasker event dead`: lists dead deliveries, delivers them again, or discards them. */
export async function eventDead(group: string | undefined, options: EventDeadOptions): Promise<void> {
  const { redeliver, discard, limit } = options;
  if (redeliver && discard)
    throw new TaskerError('bad_request', '--redeliver and --discard exclude each other; pass one of them');
  if (!redeliver && !discard) return withTasker(options, {}, (tasker) => list(tasker, group, options));
  if (limit !== undefined) {
    throw new TaskerError(
      'bad_request',
      `--limit only applies to the list; ${discard ? '--discard' : '--redeliver'} acts on all dead deliveries of the group: omit --limit, or select one event with --event <id>`,
    );
  }
  if (group === undefined)
    throw new TaskerError(
      'bad_request',
      'the name of the group is missing; `npx tasker event groups` lists the groups',
    );
  await withTasker(options, {}, (tasker) => act(tasker, group, options));
}

async function list(
  tasker: Tasker,
  group: string | undefined,
  { limit = 20, event, json }: EventDeadOptions,
): Promise<void> {
  const dead = await tasker.events.dead({ limit, group, eventId: event });
  if (json) return printJson(dead.map((one) => ({ ...snakeKeys(one), event: snakeKeys(one.event) })));
  if (dead.length === 0) return note('no dead deliveries');
  print(deadTable(dead, Date.now()));
}

async function act(tasker: Tasker, group: string, options: EventDeadOptions): Promise<void> {
  const { event, discard, yes, json } = options;
  const which = { group, eventId: event };
  const what = event === undefined ? `all dead deliveries of ${group}` : `event ${event} of ${group}`;
  const verb = discard ? 'discard' : 'redeliver';
  if (!yes && !(await confirmed(`${verb} ${what}?`))) return note('nothing done');
  const by = operatorFrom(options);
  const count = await (discard ? tasker.events.discard(which, by) : tasker.events.redeliver(which, by));
  if (json) printJson({ group, [discard ? 'discarded' : 'redelivered']: count });
  else print(`${deadDeliveries(count)} ${discard ? 'discarded' : `of ${group} will be delivered again`}`);
}

function deadTable(dead: readonly Dead[], now: number): string {
  const rows = dead.map((one) => [
    one.group,
    one.event.eventId,
    one.event.name,
    String(one.attempts),
    `${spanOf(now - Date.parse(one.diedAt))} ago`,
    one.error,
  ]);
  return table(['group', 'event', 'name', 'attempts', 'died', 'error'], rows);
}
