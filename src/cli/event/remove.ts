import { confirmed } from '../confirm.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker event remove`: a group that nobody needs any more goes, with all that waits for it. */
export async function eventRemove(
  group: string,
  { yes, ...options }: GlobalOptions & { yes?: boolean },
): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const { waiting, retrying, dead } = await tasker.events.group(group);
    const lost = `${counted(waiting + retrying, 'event')} that wait for it, ${counted(dead, 'dead letter')}`;
    if (!yes && !(await confirmed(`remove ${group}, with ${lost}?`))) return note('nothing was done');
    await tasker.events.removeGroup(group);
    if (options.json) printJson({ group, removed: true });
    else print(`${group} is removed`);
  });
}
