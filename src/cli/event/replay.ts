import { confirmed } from '../confirm.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';
import { asFilter, type EventFilterOptions } from './views.ts';

/** Options of `tasker event replay`. */
export interface EventReplayOptions extends GlobalOptions, EventFilterOptions {
  dryRun?: boolean;
  yes?: boolean;
}

/** `tasker event replay`: delivers events to a group again, once somebody has said yes to how many. */
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
      return note('nothing was done');
    const replayed = await tasker.events
      .replay(which, {
        onProgress: ({ replayed, share }) => progress(`${Math.round(share * 100)} % ${replayed} of ${count} events`),
      })
      .finally(() => progress(''));
    if (json) printJson({ group, replayed });
    else
      print(
        `${counted(replayed, 'event')} will be delivered to ${group} again; \`npx tasker event lag ${group}\` tells how far it is`,
      );
  });
}

/** Replaces the last line of a terminal. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}
