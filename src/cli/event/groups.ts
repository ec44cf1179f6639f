import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { spanOf, table } from '../show/text.ts';
import { snakeKeys } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';
import type { Group } from './views.ts';

/** `tasker event groups`: who gets events, and how far each came. */
export async function eventGroups(options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const groups = await tasker.events.groups();
    if (options.json) return printJson(groups.map(snakeKeys));
    if (groups.length === 0) return note('no groups; a subscriber that is started makes one');
    print(groupTable(groups, Date.now()));
    for (const { name, membersDiffer } of groups) if (membersDiffer) note(differing(name));
  });
}

const differing = (group: string) =>
  `the members of ${group} ask for different events, as while a new version is rolled out: it gets what any of them asks for`;

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
  return table(['group', 'gets', 'members', 'waiting', 'behind', 'retrying', 'dead', 'seen'], rows);
}
