import { useSearchParams } from 'react-router';
import { api } from '../../api/client.ts';
import type { DeadDelivery } from '../../api/types.ts';
import { useNamespace } from '../../frame/namespace.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { Empty, Panel, Problem } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { useList } from '../../parts/list-screen.tsx';
import { Id, Time } from '../../parts/text.tsx';
import { counted } from '../../parts/words.ts';

const MOST = 500;

const COLUMNS: readonly Column<DeadDelivery>[] = [
  { head: 'Gave up', cell: ({ died_at }) => <Time at={died_at} /> },
  { head: 'Group', cell: ({ group }) => <span className="font-medium">{group}</span> },
  { head: 'Event', cell: ({ event }) => event.name },
  { head: 'Id', cell: ({ event }) => <Id id={event.event_id} what="event id" /> },
  {
    head: 'Error',
    kind: 'wide',
    cell: ({ error }) => (
      <span className="text-s-red" title={error}>
        {error}
      </span>
    ),
  },
  { head: 'Attempts', kind: 'num', cell: ({ attempts }) => attempts },
  {
    head: '',
    kind: 'num',
    cell: ({ group, event }) => (
      <span className="inline-flex gap-1">
        <DeadAct verb="Redeliver" group={group} event={event.event_id} count={1} />
        <DeadAct verb="Discard" group={group} event={event.event_id} count={1} />
      </span>
    ),
  },
];

interface DeadActProps {
  verb: 'Redeliver' | 'Discard';
  group: string;
  /** Undefined means all of the group. */
  event?: string;
  count: number;
}

function DeadAct({ verb, group, event, count }: DeadActProps) {
  const method = verb === 'Redeliver' ? api.events.redeliver : api.events.discard;
  const all = event === undefined;
  return (
    <ActButton
      method={method}
      target={event ?? group}
      {...(!all && ({ look: 'quiet', className: 'h-7 px-2' } as const))}
      act={{
        title: `${verb} ${all ? `all dead deliveries of ${group}` : `a dead delivery of ${group}`}`,
        verb: `${verb} ${counted(count, 'event')}`,
        danger: verb === 'Discard',
        preview:
          verb === 'Redeliver'
            ? 'The group receives it again, with a full set of attempts.'
            : 'The group never receives it. Replay can still deliver it while it is in the log.',
        run: (said) => method({ ...said, group, ...(event && { event }) }),
      }}
    >
      {all ? `${verb} all of ${group}` : verb}
    </ActButton>
  );
}

/** Deliveries that a group gave up. */
export function DeadDeliveries() {
  const group = useSearchParams()[0].get('group') ?? undefined;
  const namespace = useNamespace();
  const dead = useList({ method: api.events.dead, rows: 'dead', query: { limit: MOST, group } });
  if (dead.error && !dead.rows) return <Problem error={dead.error} />;
  if (!dead.rows) return null;
  const rows = dead.rows.filter(({ event }) => namespace === undefined || event.namespace === namespace);
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(row.group, (counts.get(row.group) ?? 0) + 1);
  return (
    <>
      {counts.size > 0 && (
        <div className="mb-3 flex flex-wrap gap-2">
          {[...counts].map(([name, count]) => (
            <span key={name} className="contents">
              <DeadAct verb="Redeliver" group={name} count={count} />
              <DeadAct verb="Discard" group={name} count={count} />
            </span>
          ))}
        </div>
      )}
      <Panel>
        {rows.length > 0 ? (
          <Grid
            name="Dead deliveries"
            columns={COLUMNS}
            rows={rows}
            keyOf={(row) => `${row.group} ${row.event.event_id}`}
          />
        ) : (
          <Empty title="No dead deliveries">
            An event that a group could not handle after all attempts waits here, until it is redelivered or discarded.
          </Empty>
        )}
      </Panel>
    </>
  );
}
