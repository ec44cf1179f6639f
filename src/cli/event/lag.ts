import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { spanOf, table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker event lag`: what waits for a group, or for each; exits 1 when that is more than `--max`. */
export async function eventLag(name: string | undefined, options: GlobalOptions & { max?: number }): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const groups = name === undefined ? await tasker.events.groups() : [await tasker.events.group(name)];
    const lags = groups.map(({ name, waiting, secondsBehind }) => ({
      group: name,
      waiting,
      seconds_behind: secondsBehind,
    }));
    if (options.json) printJson(lags);
    else if (lags.length === 0) note('no groups; a subscriber that is started makes one');
    else
      print(
        table(
          ['group', 'waiting', 'behind'],
          lags.map((lag) => [lag.group, String(lag.waiting), spanOf(lag.seconds_behind * 1000)]),
        ),
      );
    const { max = Number.POSITIVE_INFINITY } = options;
    if (lags.some(({ waiting }) => waiting > max)) process.exitCode = EXIT.failed;
  });
}
