import { snakeKeys } from '../../app/json/views.ts';
import type { DeadLetter, DeadLetterPage } from '../../app/operator-types.ts';
import { type DeadLetterConditionValues, NAMED_DEAD_LETTER_CONDITIONS } from '../../contract/filters/dead-letters.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { conditionArguments, conditionsOf, conditionWords } from '../conditions.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { nextPage } from '../show/page-notes.ts';
import { counted, painted, shortened, signOf, spanOf, table } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

interface DlqListOptions extends GlobalOptions, DeadLetterConditionValues {
  sort?: 'priority' | 'added';
  limit: number;
  cursor?: string;
}

/** `tasker dlq list`: lists dead letters. */
export async function dlqList(options: DlqListOptions): Promise<void> {
  const { sort, limit, cursor, json } = options;
  const filter = conditionsOf<DeadLetterConditionValues>(options, NAMED_DEAD_LETTER_CONDITIONS);
  await withTasker(options, {}, async (tasker) => {
    const page = await tasker.deadLetters.list(filter, { sort, limit, cursor });
    if (json) return printJson(pageJson(page));
    const words = conditionWords(filter, NAMED_DEAD_LETTER_CONDITIONS);
    if (page.entries.length === 0) return note(whyNone(words, cursor));
    print(entryTable(page.entries, { now: Date.now(), width: thisRun().stdout.columns }));
    note(foundText(page, words));
    if (page.nextCursor !== null) {
      const all = conditionArguments(filter);
      const order = sort === undefined ? [] : ['--sort', sort];
      note(
        nextPage(page.nextCursor, ['dlq', 'list', ...all, ...order, ...(limit === 20 ? [] : ['-l', String(limit)])]),
      );
    }
  });
}

function pageJson({ entries, total, totalIsExact, nextCursor }: DeadLetterPage): object {
  return { entries: entries.map(snakeKeys), total, total_is_exact: totalIsExact, next_cursor: nextCursor };
}

function foundText({ entries, total, totalIsExact }: DeadLetterPage, words: readonly string[]): string {
  const all = `${total.toLocaleString('en')}${totalIsExact ? '' : '+'}`;
  const of =
    totalIsExact && total === entries.length
      ? counted(total, 'dead letter')
      : `${entries.length} of ${all} dead letters`;
  return words.length === 0 ? of : `${of}: ${words.join(', ')}`;
}

function whyNone(words: readonly string[], cursor: string | undefined): string {
  if (cursor !== undefined) return 'no further dead letters';
  return words.length === 0 ? 'no open dead letters' : `no dead letter matches: ${words.join(', ')}`;
}

/** With fewer columns than this, the causes are shown below their tasks. */
const WIDE = 170;
/** With fewer columns than this, the templates and states are also shown below the tasks. */
const NARROW = 130;

/** Returns dead letters as a table. `width` is the width of the terminal; undefined if the output is not a terminal. */
export function entryTable(entries: readonly DeadLetter[], { now, width }: { now: number; width?: number }): string {
  const closed = entries.some(({ resolutionStatus }) => resolutionStatus !== 'pending');
  const rows = entries.map((entry) => rowOf(entry, { now, closed }));
  const causes = entries.map(({ cause }) => cause.split('\n')[0]!);
  const header = ['  task', 'reason', 'since', ...(closed ? ['status'] : []), 'assignee', 'template', 'task is in'];
  if (width === undefined || width >= WIDE) {
    const text = table(
      [...header, 'cause'],
      rows.map((row, i) => [...row, causes[i]!]),
    );
    return width === undefined
      ? text
      : text
          .split('\n')
          .map((line) => shortened(line, width))
          .join('\n');
  }
  const few = width < NARROW;
  const shown = few ? [header, ...rows].map((row) => row.slice(0, -2)) : [header, ...rows];
  const [head, ...lines] = table(shown[0]!, shown.slice(1)).split('\n');
  const below = rows.map((row, i) => (few ? `${row.at(-2)} in ${row.at(-1)}: ${causes[i]}` : causes[i]!));
  return [head!, ...lines.flatMap((line, i) => [line, `    ${shortened(below[i]!, width - 4)}`])].join('\n');
}

function rowOf(entry: DeadLetter, { now, closed }: { now: number; closed: boolean }): string[] {
  const { taskUuid, namespaceName, taskName, taskVersion, dlqReason, dlqTimestamp, priority, currentState } = entry;
  const state = currentState ?? 'deleted';
  return [
    `${signOf(state)} ${taskUuid}`,
    `${dlqReason}${priority === 0 ? '' : ` (${priority > 0 ? '+' : ''}${priority})`}`,
    `${spanOf(now - Date.parse(dlqTimestamp))} ago`,
    ...(closed ? [entry.resolutionStatus === 'pending' ? 'pending' : pc.dim(entry.resolutionStatus)] : []),
    entry.assignee ?? pc.dim('-'),
    `${namespaceName}/${taskName}@${taskVersion}`,
    entry.hasMovedOn ? `${painted(state)}${pc.dim(', moved on')}` : painted(state),
  ];
}
