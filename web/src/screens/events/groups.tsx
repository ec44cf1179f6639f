import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api } from '../../api/client.ts';
import { usePolling } from '../../api/polling.ts';
import type { EventGroup } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { Empty, Panel, Problem } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { Time } from '../../parts/text.tsx';
import { durationText, numberText } from '../../parts/words.ts';
import { ReplayDialog } from './replay-dialog.tsx';

const SECOND = 1000;
const GROUPS_MS = 5_000;

const columnsOf = (onReplay: (group: string) => void): readonly Column<EventGroup>[] => [
  { head: 'Group', cell: ({ name }) => <span className="font-medium">{name}</span> },
  {
    head: 'Patterns',
    kind: 'wide',
    cell: ({ patterns }) => <span className="font-mono text-xs text-soft">{patterns.join(', ')}</span>,
  },
  {
    head: 'Members',
    kind: 'num',
    cell: ({ members, members_differ: differ }) => (
      <span
        className={members === 0 || differ ? 'text-s-amber' : ''}
        title={differ ? 'its members subscribe to different patterns' : undefined}
      >
        {members === 0 ? 'none' : numberText(members)}
      </span>
    ),
  },
  { head: 'Waiting', kind: 'num', cell: ({ waiting }) => numberText(waiting) },
  {
    head: 'Behind',
    kind: 'num',
    cell: ({ seconds_behind: behind }) => (behind ? durationText(behind * SECOND) : '–'),
  },
  { head: 'Retrying', kind: 'num', cell: ({ retrying }) => numberText(retrying) },
  {
    head: 'Dead',
    kind: 'num',
    cell: ({ name, dead }) => <Dead group={name} count={dead} />,
  },
  { head: 'Seen', kind: 'num', cell: ({ seen_at }) => <Time at={seen_at} /> },
  { head: '', kind: 'num', cell: (group) => <Acts group={group} onReplay={() => onReplay(group.name)} /> },
];

function Dead({ group, count }: { group: string; count: number }) {
  const link = useLinks();
  if (count === 0) return '0';
  return (
    <Link className="text-s-red hover:underline" to={link('events', { view: 'dead', group })}>
      {numberText(count)}
    </Link>
  );
}

function Acts({ group: { name, waiting, dead, members }, onReplay }: { group: EventGroup; onReplay(): void }) {
  return (
    <span className="inline-flex gap-1">
      <ActButton method={api.events.replay} target={name} look="quiet" className="h-7 px-2" onClick={onReplay}>
        Replay
      </ActButton>
      <ActButton
        method={api.events.removeGroup}
        target={name}
        look="quiet"
        className="h-7 px-2"
        act={{
          title: `Remove the group ${name}`,
          verb: 'Remove the group',
          danger: true,
          preview: `${numberText(waiting)} waiting events and ${numberText(dead)} dead deliveries are lost to it. ${members > 0 ? 'Its members are running, so they will register it again. It then starts with new events.' : 'If it returns, it starts with new events.'}`,
          run: (said) => api.events.removeGroup(name, said),
        }}
      >
        Remove
      </ActButton>
    </span>
  );
}

/** Reads the groups that receive events. They cover all namespaces. */
export function useGroups() {
  const { data, error } = useQuery({
    queryKey: ['event-groups'],
    queryFn: ({ signal }) => api.events.groups({ signal }),
    refetchInterval: usePolling(GROUPS_MS),
  });
  return { rows: data?.groups, error };
}

/** The groups that receive events, with the lag of each. */
export function Groups() {
  const { rows, error } = useGroups();
  const [replay, setReplay] = useState<string>();
  if (error && !rows) return <Problem error={error} />;
  if (!rows) return null;
  return (
    <Panel>
      {rows.length > 0 ? (
        <Grid name="Subscriber groups" columns={columnsOf(setReplay)} rows={rows} keyOf={({ name }) => name} />
      ) : (
        <Empty title="No group receives events">
          Pass subscribers to createTasker. Each durable subscriber appears here with its lag.
        </Empty>
      )}
      {replay !== undefined && (
        <ReplayDialog groups={rows.map(({ name }) => name)} group={replay} onClose={() => setReplay(undefined)} />
      )}
    </Panel>
  );
}
