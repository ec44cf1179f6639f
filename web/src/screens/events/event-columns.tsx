import type { DomainEvent } from '../../api/types.ts';
import type { Column } from '../../parts/grid.tsx';
import { Time } from '../../parts/text.tsx';

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
