import { api } from '../api/client.ts';
import { Readable } from '../parts/act-button.tsx';
import { Heading } from '../parts/controls.tsx';
import { TabPanel, Tabs, useTab } from '../parts/tabs.tsx';
import { counted, numberText } from '../parts/words.ts';
import { Catalogue } from './events/catalogue.tsx';
import { DeadDeliveries } from './events/dead-deliveries.tsx';
import { Groups, useGroups } from './events/groups.tsx';
import { Log } from './events/log.tsx';

const VIEWS = [
  { key: 'log', name: 'Log' },
  { key: 'catalogue', name: 'Catalogue' },
  { key: 'groups', name: 'Groups' },
  { key: 'dead', name: 'Dead deliveries' },
] as const;

export default function Events() {
  const [view, choose] = useTab(VIEWS);
  return (
    <>
      <Heading title="Events" answer={<Answer />} />
      <Tabs label="Views of the events" tabs={VIEWS} current={view} onChoose={choose} />
      <TabPanel current={view}>
        <Readable method={api.events.list}>
          {view === 'log' && <Log />}
          {view === 'catalogue' && <Catalogue />}
          {view === 'groups' && <Groups />}
          {view === 'dead' && <DeadDeliveries />}
        </Readable>
      </TabPanel>
    </>
  );
}

function Answer() {
  const { rows, error } = useGroups();
  // A credential that is limited to namespaces may not see groups, which cover all namespaces.
  if (error && !rows) return 'Events of the tasks, and their deliveries';
  if (!rows) return '\u00a0';
  const dead = rows.reduce((sum, group) => sum + group.dead, 0);
  const waiting = rows.reduce((sum, group) => sum + group.waiting, 0);
  if (rows.length === 0) return 'No group receives events';
  return `${counted(rows.length, 'group')}, ${counted(waiting, 'event')} to deliver${dead > 0 ? `, ${numberText(dead)} given up` : ''}`;
}
