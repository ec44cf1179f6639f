import { useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, pathOf } from '../api/client.ts';
import { usePolling } from '../api/polling.ts';
import type { AuditEntry } from '../api/types.ts';
import { useLinks } from '../frame/namespace.ts';
import { Readable } from '../parts/act-button.tsx';
import { Button, Empty, Heading, Panel } from '../parts/controls.tsx';
import { ChoiceField, TextField } from '../parts/form/field.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { ReadProblem } from '../parts/read-problem.tsx';
import { TabPanel, Tabs, useTab } from '../parts/tabs.tsx';
import { Id, Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';
import { BulkActs } from './audit/bulk-acts.tsx';

const AUDIT_MS = 5_000;
const TYPING_MS = 400;

const COLUMNS: readonly Column<AuditEntry>[] = [
  { head: 'When', cell: ({ at }) => <Time at={at} /> },
  { head: 'Who', cell: ({ actor }) => <span className="font-medium">{actor}</span> },
  { head: 'Action', cell: ({ action }) => actionText(action) },
  { head: 'On', cell: (entry) => <Target entry={entry} /> },
  { head: 'Step', cell: ({ step }) => step },
  {
    head: 'Reason',
    kind: 'wide',
    cell: ({ reason }) => (
      <span className="text-soft" title={reason ?? undefined}>
        {reason}
      </span>
    ),
  },
  { head: 'Through', cell: ({ door }) => <span className="text-faint">{doorText(door)}</span> },
];

/** Returns an action in words: `dlq_add` is `dead letter add`. */
const actionText = (action: string) => action.replace(/^dlq_/, 'dead_letter_').replaceAll('_', ' ');

// A newer server may have more.
const doorText = (door: string | null) => (DOORS as Readonly<Record<string, string>>)[door ?? ''] ?? door;

function Target({ entry: { task_uuid: uuid, target, template } }: { entry: AuditEntry }) {
  const link = useLinks();
  if (!uuid) return target ?? template;
  return (
    <span className="inline-flex items-baseline gap-2">
      <Link className="hover:text-accent hover:underline" to={link(pathOf`tasks/${uuid}`)}>
        {template ?? 'task'}
      </Link>
      <Id id={uuid} what="task id" />
    </span>
  );
}

type AuditQuery = NonNullable<Parameters<typeof api.audit.list>[0]>;

const DOORS: Readonly<Record<NonNullable<AuditQuery['door']>, string>> = {
  rest: 'API and web page',
  cli: 'Command line',
  library: 'Program',
  lifecycle: 'Limits of a lifecycle',
  policy: 'Policy',
};
const PERIODS = [
  ['', 'Any time'],
  ['1h', 'Last hour'],
  ['24h', 'Last 24 hours'],
  ['168h', 'Last 7 days'],
] as const;
const FILTERS = ['actor', 'action', 'door', 'target', 'task', 'after', 'bulk'] as const satisfies (keyof AuditQuery)[];
/** The parameters as text, as they are in the address. The server checks them. */
type Filters = Partial<Record<(typeof FILTERS)[number], string>>;

const VIEWS = [
  { key: 'acts', name: 'Actions' },
  { key: 'bulk', name: 'Bulk actions' },
] as const;

export default function Audit() {
  const [view, choose] = useTab(VIEWS);
  return (
    <>
      <Heading title="Audit" answer="Actions of people and policies, with their reasons" />
      <Readable method={api.audit.list}>
        <Tabs label="Views of the audit" tabs={VIEWS} current={view} onChoose={choose} />
        <TabPanel current={view}>{view === 'acts' ? <Acts /> : <BulkActs />}</TabPanel>
      </Readable>
    </>
  );
}

function Acts() {
  const [search, setSearch] = useSearchParams();
  const filters: Filters = Object.fromEntries(
    FILTERS.flatMap((key) => (search.get(key) ? [[key, search.get(key)!]] : [])),
  );
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ['audit', filters],
    queryFn: ({ pageParam, signal }) => api.audit.list({ ...(filters as AuditQuery), cursor: pageParam }, { signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: usePolling(AUDIT_MS),
  });
  const entries = data?.pages.flatMap((page) => page.entries);
  const change = (key: (typeof FILTERS)[number], value: string) =>
    setSearch(
      (now) => {
        if (value === '') now.delete(key);
        else now.set(key, value);
        return now;
      },
      { replace: true },
    );
  const filtered = Object.keys(filters).length > 0;
  return (
    <>
      <Bar filters={filters} onChange={change} />
      <p className="mb-3 text-sm text-soft" aria-live="polite">
        {entries ? answerOf(entries.length, hasNextPage, filtered) : '\u00a0'}
      </p>
      <ReadProblem error={error} hasData={entries !== undefined} />
      {entries && (
        <Panel>
          {entries.length > 0 ? (
            <Grid name="Audit" columns={COLUMNS} rows={entries} keyOf={({ id }) => String(id)} />
          ) : filtered ? (
            <Empty title="No action matches">
              <Button onClick={() => setSearch({})}>Clear the filters</Button>
            </Empty>
          ) : (
            <Empty title="No actions yet">
              Retries, resolutions, pauses and other actions of people appear here, with their reasons.
            </Empty>
          )}
        </Panel>
      )}
      {hasNextPage && (
        <div className="text-center">
          <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Show older actions
          </Button>
        </div>
      )}
    </>
  );
}

function answerOf(count: number, more: boolean, filtered: boolean): string {
  if (count === 0) return filtered ? 'No action matches the filters' : 'No actions of people yet';
  return `${more ? 'The last ' : ''}${counted(count, 'action')}${filtered ? ' that match' : ''}, newest first`;
}

interface BarProps {
  filters: Filters;
  onChange(key: (typeof FILTERS)[number], value: string): void;
}

function Bar({ filters, onChange }: BarProps) {
  return (
    <fieldset aria-label="Filters" className="mb-4 grid min-w-0 grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-6">
      <Typed label="Who" value={filters.actor} onChange={(text) => onChange('actor', text)} />
      <Typed
        label="Action"
        placeholder="task_retry"
        value={filters.action}
        // The actions are shown with spaces.
        onChange={(text) => onChange('action', text.replaceAll(' ', '_').replace(/^dead_letter_/, 'dlq_'))}
      />
      <Typed label="Target" value={filters.target} onChange={(text) => onChange('target', text)} />
      <Typed label="Task" placeholder="Its id" value={filters.task} onChange={(text) => onChange('task', text)} />
      <ChoiceField
        label="When"
        value={filters.after ?? ''}
        options={PERIODS}
        onChange={(text) => onChange('after', text)}
      />
      <ChoiceField
        label="Through"
        value={filters.door ?? ''}
        options={[['', 'Anywhere'], ...Object.entries(DOORS)]}
        onChange={(text) => onChange('door', text)}
      />
    </fieldset>
  );
}

interface TypedProps {
  label: string;
  placeholder?: string;
  value: string | undefined;
  onChange(text: string): void;
}

/** A field that filters when the user pauses typing. */
function Typed({ label, placeholder, value = '', onChange }: TypedProps) {
  const [typed, setTyped] = useState<string>();
  const text = typed ?? value;
  useEffect(() => {
    if (typed === undefined || typed.trim() === value) return;
    const timer = setTimeout(() => onChange(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  });
  return (
    <TextField
      label={label}
      type="search"
      placeholder={placeholder}
      value={text}
      onChange={setTyped}
      onBlur={() => {
        if (typed !== undefined && typed.trim() !== value) onChange(typed.trim());
        setTyped(undefined);
      }}
    />
  );
}
