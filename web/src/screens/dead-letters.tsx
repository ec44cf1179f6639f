import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { api } from '../api/client.ts';
import { firstRows, LARGEST_PAGE } from '../api/pages.ts';
import { usePolling } from '../api/polling.ts';
import type { DeadLetterPage, Letter } from '../api/types.ts';
import { useNamespace } from '../frame/namespace.ts';
import { Empty, Heading, Panel } from '../parts/controls.tsx';
import { MOST_ROWS } from '../parts/download.ts';
import { type Column, Grid } from '../parts/grid.tsx';
import { Pages } from '../parts/list-screen.tsx';
import { ReadProblem } from '../parts/read-problem.tsx';
import { State } from '../parts/state.tsx';
import { Time } from '../parts/text.tsx';
import { countedBound, numberText } from '../parts/words.ts';
import { Investigation } from './dead-letters/investigation.tsx';
import { type LetterQuery, REASONS, STATUSES } from './dead-letters/letter.ts';

const LIST_MS = 5_000;

/** The filters in the address. The server checks their values. */
function queryOf(search: URLSearchParams): LetterQuery {
  const whose = search.get('assignee');
  return {
    ...(search.get('status') && { status: search.get('status') as LetterQuery['status'] }),
    ...(search.get('reason') && { dlq_reason: search.get('reason') as LetterQuery['dlq_reason'] }),
    ...(whose && (whose === '-' ? { unassigned: true } : { assignee: whose })),
    ...(search.get('name') && { name: search.get('name')! }),
  };
}

export default function DeadLetters() {
  const [search, setSearch] = useSearchParams();
  const namespace = useNamespace();
  const filter = { namespace, ...queryOf(search) };
  const cursor = search.get('cursor') ?? undefined;
  const { data, error } = useQuery({
    queryKey: ['dead-letters', filter, cursor],
    queryFn: ({ signal }) => api.deadLetters.search({ ...filter, cursor }, { signal }),
    refetchInterval: usePolling(LIST_MS),
    placeholderData: keepPreviousData,
  });
  const open = search.get('entry');
  const show = (id: string | undefined) =>
    setSearch((now) => {
      if (id) now.set('entry', id);
      else now.delete('entry');
      return now;
    });
  const filtered = Object.keys(queryOf(search)).length > 0;
  const paged = cursor !== undefined || (data?.next_cursor ?? null) !== null;
  return (
    <>
      <Heading title="Dead letters" answer={data ? answerOf(data, search) : '\u00a0'} />
      <ReadProblem error={error} hasData={data !== undefined} />
      <Filters letters={data?.entries ?? []} />
      <div className="items-start gap-4 max-xl:flex max-xl:flex-col-reverse xl:flex">
        <div className="w-full min-w-0 xl:grow">
          {data && (
            <Panel>
              {data.entries.length > 0 ? (
                <Grid
                  name="Dead letters"
                  columns={columnsOf(open, show)}
                  rows={data.entries}
                  keyOf={({ dlq_entry_uuid: id }) => id}
                  all={
                    paged
                      ? () => firstRows(api.deadLetters.searchAll({ ...filter, limit: LARGEST_PAGE }), MOST_ROWS)
                      : undefined
                  }
                  pages={<Pages next={data.next_cursor} />}
                />
              ) : (
                <Empty title={filtered ? 'No dead letter matches' : 'No dead letters'}>
                  {filtered
                    ? 'Choose another reason, person or status.'
                    : 'Tasks that exceed a limit of their lifecycle, or that a person adds, wait here for an investigation.'}
                </Empty>
              )}
            </Panel>
          )}
        </div>
        {open && <Investigation key={open} id={open} onClose={() => show(undefined)} />}
      </div>
    </>
  );
}

function answerOf({ total, total_is_exact: exact }: DeadLetterPage, search: URLSearchParams): string {
  const status = search.get('status') ?? 'pending';
  if (status !== 'pending') return countedBound(total, 'dead letter', !exact);
  return total === 0
    ? 'Nothing to investigate'
    : `${countedBound(total, 'task', !exact)} to investigate, the most urgent first`;
}

function columnsOf(open: string | null, show: (id: string) => void): readonly Column<Letter>[] {
  return [
    {
      head: 'Task',
      cell: ({ dlq_entry_uuid: id, namespace_name: namespace, task_name: name }) => (
        <button
          type="button"
          aria-pressed={open === id}
          className={`rounded-sm font-medium hover:text-accent hover:underline ${open === id ? 'text-accent' : ''}`}
          onClick={() => show(id)}
        >
          <span className="font-normal text-faint max-sm:hidden">{namespace}/</span>
          {name}
        </button>
      ),
    },
    { head: 'State', cell: ({ current_state: state }) => (state ? <State state={state} /> : 'deleted') },
    {
      head: 'Cause',
      kind: 'wide',
      cell: ({ cause }) => (
        <span className="text-soft" title={cause}>
          {cause}
        </span>
      ),
    },
    { head: 'Assignee', cell: ({ assignee }) => assignee ?? <span className="text-faint">–</span> },
    { head: 'Priority', kind: 'num', cell: ({ priority }) => numberText(priority) },
    { head: 'Added', kind: 'num', cell: ({ dlq_timestamp: at }) => <Time at={at} /> },
  ];
}

/** The filters: status, reason and assignee. */
function Filters({ letters }: { letters: readonly Letter[] }) {
  const [search, setSearch] = useSearchParams();
  const people = new Set(letters.flatMap(({ assignee }) => (assignee === null ? [] : [assignee])));
  const chosen = search.get('assignee');
  if (chosen && chosen !== '-') people.add(chosen);
  const choose = (name: string) => (value: string) =>
    setSearch((now) => {
      now.delete('cursor');
      if (value === '') now.delete(name);
      else now.set(name, value);
      return now;
    });
  const select = (name: string, label: string, options: readonly (readonly [string, string])[]) => (
    <select
      aria-label={label}
      className="h-8 rounded-md border border-edge bg-surface px-2 text-sm text-ink"
      value={search.get(name) ?? ''}
      onChange={({ target }) => choose(name)(target.value)}
    >
      {options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
  const { pending, ...others } = STATUSES;
  return (
    <div className="mb-4 flex flex-wrap gap-2">
      {select('status', 'Status', [['', pending], ...Object.entries(others)])}
      {select('reason', 'Reason', [['', 'Any reason'], ...Object.entries(REASONS)])}
      {select('assignee', 'Assigned to', [
        ['', 'Anyone'],
        ['-', 'Nobody'],
        ...[...people].sort().map((name) => [name, name] as const),
      ])}
    </div>
  );
}
