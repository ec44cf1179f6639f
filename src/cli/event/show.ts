import pc from 'picocolors';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { fields } from '../show/text.ts';
import { snakeKeys } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker event show`: an event and what was recorded about it; with `--json` as `event list` tells it, and its envelope. */
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
