import { snakeKeys } from '../../app/json/views.ts';
import { confirmed } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson, redrawLine } from '../show/output.ts';
import { counted, deadDeliveries, spanOf, table } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';
import { asFilter, type EventFilterOptions, type Group } from './events.ts';

/** `tasker event groups`: lists the subscriber groups and the progress of each. */
export async function eventGroups(options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const groups = await tasker.events.groups();
    if (options.json) return printJson(groups.map(snakeKeys));
    if (groups.length === 0) return note('no groups; starting a subscriber creates one');
    print(groupTable(groups, Date.now()));
    for (const { name, membersDiffer } of groups) if (membersDiffer) note(differing(name));
  });
}

const differing = (group: string) =>
  `the members of ${group} subscribe to different events, as during a rolling deployment; the group receives every event that any member subscribes to`;

function groupTable(groups: readonly Group[], now: number): string {
  const rows = groups.map((group) => [
    group.name,
    group.patterns.join(' '),
    String(group.members),
    String(group.waiting),
    group.secondsBehind === 0 ? '' : spanOf(group.secondsBehind * 1000),
    String(group.retrying),
    String(group.dead),
    `${spanOf(now - Date.parse(group.seenAt))} ago`,
  ]);
  return table(['group', 'events', 'members', 'waiting', 'behind', 'retrying', 'dead', 'seen'], rows);
}

/**
 * `tasker event lag`: counts the events that wait for a group, or for each group. Exits 1 if more than `--max` events
 * wait.
 */
export async function eventLag(name: string | undefined, options: GlobalOptions & { max?: number }): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const groups = name === undefined ? await tasker.events.groups() : [await tasker.events.group(name)];
    const lags = groups.map(({ name, waiting, secondsBehind }) => ({
      group: name,
      waiting,
      seconds_behind: secondsBehind,
    }));
    if (options.json) printJson(lags);
    else if (lags.length === 0) note('no groups; starting a subscriber creates one');
    else
      print(
        table(
          ['group', 'waiting', 'behind'],
          lags.map((lag) => [lag.group, String(lag.waiting), spanOf(lag.seconds_behind * 1000)]),
        ),
      );
    const { max = Number.POSITIVE_INFINITY } = options;
    if (lags.some(({ waiting }) => waiting > max)) thisRun().exitCode = EXIT.failed;
  });
}

/** Options of `tasker event replay`. */
export interface EventReplayOptions extends GlobalOptions, EventFilterOptions, OperatorFlags {
  dryRun?: boolean;
  yes?: boolean;
}

/** `tasker event replay`: delivers events to a group again, after the user has confirmed their number. */
export async function eventReplay(group: string, options: EventReplayOptions): Promise<void> {
  const { dryRun, yes, json } = options;
  await withTasker(options, {}, async (tasker) => {
    const which = { group, ...asFilter(options) };
    const count = await tasker.events.countReplay(which);
    if (dryRun || count === 0) {
      if (json) printJson({ group, replayed: 0, would_replay: count });
      else print(`${counted(count, 'event')} would be delivered to ${group} again`);
      return;
    }
    if (!yes && !(await confirmed(`deliver ${counted(count, 'event')} to ${group} again?`)))
      return note('nothing done');
    const replayed = await tasker.events
      .replay(which, {
        ...operatorFrom(options),
        onProgress: ({ replayed, share }) => redrawLine(`${Math.round(share * 100)} %, ${replayed} of ${count} events`),
      })
      .finally(() => redrawLine(''));
    if (json) printJson({ group, replayed });
    else
      print(
        `${counted(replayed, 'event')} will be delivered to ${group} again; \`npx tasker event lag ${group}\` shows the progress`,
      );
  });
}

/** `tasker event remove`: removes a group with its waiting events and dead deliveries. */
export async function eventRemove(
  group: string,
  { yes, ...options }: GlobalOptions & OperatorFlags & { yes?: boolean },
): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const { waiting, retrying, dead } = await tasker.events.group(group);
    const lost = `${counted(waiting + retrying, 'waiting event')} and ${deadDeliveries(dead)}`;
    if (!yes && !(await confirmed(`remove ${group} with ${lost}?`))) return note('nothing done');
    await tasker.events.removeGroup(group, operatorFrom(options));
    if (options.json) printJson({ group, removed: true });
    else print(`removed ${group}`);
  });
}
