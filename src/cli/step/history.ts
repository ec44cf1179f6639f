import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { painted, spanOf, table } from '../show/text.ts';
import { type HistoryEntry, snakeKeys } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker step history`: every attempt and every act of an operator, in order. */
export async function stepHistory(task: string, step: string | undefined, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const name = step === undefined ? undefined : (await tasker.getStep(task, step)).name;
    const entries = (await tasker.getHistory(task)).filter((entry) => name === undefined || entry.step === name);
    if (options.json) return printJson(entries.map(snakeKeys));
    if (entries.length === 0) return note('nothing has happened to it yet');
    print(table(['at', 'step', 'attempt', 'what', 'state after', 'took', 'who', 'why'], entries.map(rowOf)));
  });
}

function rowOf(entry: HistoryEntry): string[] {
  return [
    entry.at,
    entry.step ?? '(task)',
    entry.attempt === null ? '' : String(entry.attempt),
    entry.what,
    painted(entry.toState),
    entry.durationMs === null ? '' : spanOf(entry.durationMs),
    entry.who,
    entry.why?.split('\n')[0] ?? '',
  ];
}
