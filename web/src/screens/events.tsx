import { Panel } from '../parts/controls.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { ListScreen, useList } from '../parts/list-screen.tsx';
import { Time } from '../parts/text.tsx';
import { counted, numberText } from '../parts/words.ts';

export interface DomainEvent {
  event_id: string;
  name: string;
  fired_at: string;
  step_name: string;
  task_uuid: string;
  payload: unknown;
}

interface Group {
  name: string;
  patterns: string[];
  waiting: number;
  seconds_behind: number | null;
  retrying: number;
  dead: number;
  members: number;
}

export const EVENT_COLUMNS: readonly Column<DomainEvent>[] = [
  { head: 'When', cell: ({ fired_at }) => <Time at={fired_at} /> },
  { head: 'Event', cell: ({ name }) => <span className="font-medium">{name}</span> },
  { head: 'Step', cell: ({ step_name }) => <span className="text-soft">{step_name}</span> },
  {
    head: 'Payload',
    kind: 'wide',
    cell: ({ payload }) => <span className="font-mono text-xs text-soft">{JSON.stringify(payload)}</span>,
  },
];

const GROUPS: readonly Column<Group>[] = [
  { head: 'Group', cell: ({ name }) => <span className="font-medium">{name}</span> },
  { head: 'Patterns', kind: 'wide', cell: ({ patterns }) => patterns.join(', ') },
  { head: 'Waiting', kind: 'num', cell: ({ waiting }) => numberText(waiting) },
  { head: 'Behind', kind: 'num', cell: ({ seconds_behind: behind }) => (behind === null ? '–' : `${behind} s`) },
  { head: 'Retrying', kind: 'num', cell: ({ retrying }) => numberText(retrying) },
  {
    head: 'Dead',
    kind: 'num',
    cell: ({ dead }) => <span className={dead > 0 ? 'text-s-red' : ''}>{numberText(dead)}</span>,
  },
];

export default function Events() {
  const { rows: groups } = useList<Group>('/v1/events/groups', 'groups');
  return (
    <>
      <ListScreen<DomainEvent>
        title="Events"
        path="/v1/events"
        rows="events"
        columns={EVENT_COLUMNS}
        keyOf={({ event_id }) => event_id}
        answer={(events) =>
          events.length === 0 ? 'No durable event yet' : `The last ${counted(events.length, 'durable event')}`
        }
        empty={{
          title: 'No events yet',
          next: 'Steps whose template declares publishes_events publish domain events here.',
        }}
      />
      {groups && groups.length > 0 && (
        <Panel title="Subscriber groups">
          <Grid name="Subscriber groups" columns={GROUPS} rows={groups} keyOf={({ name }) => name} />
        </Panel>
      )}
    </>
  );
}
