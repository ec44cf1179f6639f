import { snakeKeys } from '../../app/json/views.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { spanOf, table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

const MOST = 1000;

/** `tasker pause list`: lists the pauses in force. */
export async function pauseList(options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const pauses = await tasker.pauses({ limit: MOST });
    if (options.json) return printJson(pauses.map(snakeKeys));
    if (pauses.length === 0) return note('nothing is paused');
    const now = Date.now();
    const rows = pauses.map(({ scope, target, pausedBy, pausedAt, reason }) => [
      scope,
      target,
      `${spanOf(now - Date.parse(pausedAt))} ago`,
      pausedBy,
      reason ?? '',
    ]);
    print(table(['paused', 'name', 'since', 'by', 'reason'], rows));
    if (pauses.length === MOST) note(`only the first ${MOST} are shown`);
  });
}
