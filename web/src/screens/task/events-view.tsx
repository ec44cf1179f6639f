import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api } from '../../api/client.ts';
import { usePrecaution } from '../../api/polling.ts';
import { Empty, Panel, Problem } from '../../parts/controls.tsx';
import { Grid } from '../../parts/grid.tsx';
import { EVENT_COLUMNS } from '../events/event-columns.tsx';
import type { ViewProps } from './use-task.ts';

const MOST_EVENTS = 1_000;

/** The domain events that the steps of the task have published. */
export function EventsView({ data: { task } }: ViewProps) {
  const events = useQuery({
    queryKey: ['task', task.task_uuid, 'events', task.updated_at],
    queryFn: ({ signal }) => api.tasks.events(task.task_uuid, { limit: MOST_EVENTS }, { signal }),
    refetchInterval: usePrecaution(),
    placeholderData: keepPreviousData,
  });
  if (events.error && !events.data) return <Problem error={events.error} />;
  if (!events.data) return null;
  const rows = events.data.events;
  return (
    <Panel>
      {rows.length > 0 ? (
        <Grid name="Events" columns={EVENT_COLUMNS} rows={rows} keyOf={({ event_id }) => event_id} />
      ) : (
        <Empty title="No events">The steps of this task have published no domain events.</Empty>
      )}
    </Panel>
  );
}
