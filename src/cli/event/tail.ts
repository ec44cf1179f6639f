import pc from 'picocolors';
import type { GlobalOptions } from '../options.ts';
import { note, print } from '../show/output.ts';
import { snakeKeys } from '../show/views.ts';
import { listenForStop } from '../stop-signal.ts';
import { withTasker } from '../with-tasker.ts';
import { asFilter, type Event, type EventFilterOptions } from './views.ts';

/** `tasker event tail`: durable events as they come, a line each, until Ctrl-C. */
export async function eventTail(options: GlobalOptions & EventFilterOptions): Promise<void> {
  const stop = listenForStop();
  try {
    await withTasker(options, { listen: true }, async (tasker) => {
      if (!options.json) note(`following ${tasker.place}; Ctrl-C ends it`);
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
