import { api } from '../../api/client.ts';
import type { History } from '../../api/types.ts';
import { Empty, Panel, Problem } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { State } from '../../parts/state.tsx';
import { Time } from '../../parts/text.tsx';
import { durationText, numberText } from '../../parts/words.ts';
import { partQuery, useTaskPart, type ViewProps } from './use-task.ts';

const MOST_ENTRIES = 1_000;

interface Entry {
  key: string;
  at: string;
  step: string | null;
  what: string;
  state: string | null;
  attempt: number | null;
  ms: number | null;
  who: string | null;
  why: string | null;
}

const COLUMNS: readonly Column<Entry>[] = [
  { head: 'When', cell: ({ at }) => <Time at={at} /> },
  { head: 'Step', cell: ({ step }) => step ?? <span className="text-faint">task</span> },
  { head: 'What', cell: ({ state, what }) => (state ? <State state={state} /> : what) },
  { head: 'Attempt', kind: 'num', cell: ({ attempt }) => attempt },
  { head: 'Duration', kind: 'num', cell: ({ ms }) => (ms === null ? '' : durationText(ms)) },
  { head: 'Who', cell: ({ who }) => <span className="text-soft">{who}</span> },
  { head: 'Why', kind: 'wide', cell: ({ why }) => why },
];

/** The first 1,000 attempts and actions on the task, newest first. */
export function HistoryView({
  data: {
    task: { task_uuid: uuid },
  },
}: ViewProps) {
  const { data, error } = useTaskPart(
    partQuery(uuid, 'history', (options) => api.tasks.history(uuid, { limit: MOST_ENTRIES }, options)),
  );
  if (error && !data) return <Problem error={error} />;
  if (!data) return null;
  const rows = entriesOf(data).sort((a, b) => b.at.localeCompare(a.at));
  return (
    <Panel>
      {rows.length > 0 ? (
        <Grid name="History" columns={COLUMNS} rows={rows} keyOf={({ key }) => key} />
      ) : (
        <Empty title="Nothing has happened yet">Attempts and actions appear here.</Empty>
      )}
      {data.next_cursor !== null && (
        <p className="border-t border-line px-3 py-2 text-sm text-soft">
          These are the first {numberText(MOST_ENTRIES)} entries. A step shows its own attempts.
        </p>
      )}
    </Panel>
  );
}

function entriesOf({ entries }: History): Entry[] {
  return entries.map((entry, at) => ({
    key: String(at),
    at: entry.at,
    step: entry.step,
    what: entry.what,
    state: entry.kind !== 'attempt' ? null : entry.error ? 'error' : entry.to_state,
    // The condition of a step spends no attempt.
    attempt: entry.to_state === 'skipped' ? null : entry.attempt,
    ms: entry.duration_ms,
    who: entry.who,
    why: entry.why,
  }));
}
