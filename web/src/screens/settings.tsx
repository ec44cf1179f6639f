import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { addressOf, ask } from '../api/client.ts';
import { useLacking } from '../api/me.tsx';
import { usePolling } from '../api/polling.ts';
import { useRoutes } from '../api/routes.ts';
import type { Health } from '../api/types.ts';
import { chooseTheme, chosenTheme, THEMES } from '../frame/theme.ts';
import { Readable } from '../parts/act-button.tsx';
import { Code, Empty, Heading, Panel, Problem } from '../parts/controls.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { JsonTree } from '../parts/json-tree.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { TabPanel, Tabs, useTab } from '../parts/tabs.tsx';
import { durationText } from '../parts/words.ts';
import { Keys } from './settings/keys.tsx';
import { RetentionView } from './settings/retention.tsx';
import { RolesView } from './settings/roles.tsx';

type Check = Health['checks'][string] & { name: string };

const COLUMNS: readonly Column<Check>[] = [
  { head: 'Check', cell: ({ name }) => <span className="font-medium">{name.replaceAll('_', ' ')}</span> },
  {
    head: 'State',
    cell: ({ status }) => {
      const healthy = status === 'healthy';
      return (
        <span className={`inline-flex items-center gap-1.5 ${HUES[healthy ? 'green' : 'red']}`}>
          <StateShape state={healthy ? 'complete' : 'error'} />
          {status}
        </span>
      );
    },
  },
  { head: 'Message', kind: 'wide', cell: ({ message }) => <span className="text-soft">{message}</span> },
  { head: 'Took', kind: 'num', cell: ({ duration_ms }) => durationText(duration_ms) },
];

const VIEWS = [
  { key: 'health', name: 'Health' },
  { key: 'retention', name: 'Retention' },
  { key: 'configuration', name: 'Configuration' },
  { key: 'keys', name: 'Keys' },
  { key: 'roles', name: 'Roles' },
  { key: 'browser', name: 'This browser' },
] as const;

export default function Settings() {
  const [view, choose] = useTab(VIEWS);
  const { data } = useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => ask<Health>('health/detailed', { signal }),
    refetchInterval: usePolling(10_000),
  });
  return (
    <>
      <Heading
        title="Settings"
        answer={
          data ? `tasker-core ${data.info.version}, ${data.info.environment}: the server is ${data.status}` : '\u00a0'
        }
      >
        <a
          className="inline-flex h-8 items-center rounded-md border border-edge bg-surface px-3 text-sm font-medium hover:bg-hover"
          href={addressOf('api-docs/ui').href}
        >
          API reference
        </a>
      </Heading>
      <Tabs label="Settings" tabs={VIEWS} current={view} onChoose={choose} />
      <TabPanel current={view}>
        {view === 'health' && <HealthView health={data} />}
        {view === 'retention' && <RetentionView />}
        {view === 'configuration' && <Configuration />}
        {view === 'keys' && <Keys />}
        {view === 'roles' && <RolesView />}
        {view === 'browser' && <Browser />}
      </TabPanel>
    </>
  );
}

function HealthView({ health }: { health: Health | undefined }) {
  if (!health) return null;
  const checks = Object.entries(health.checks).map(([name, check]) => ({ name, ...check }));
  return (
    <Panel>
      <Grid name="Health" columns={COLUMNS} rows={checks} keyOf={({ name }) => name} />
    </Panel>
  );
}

const CONFIG = 'GET /config';

function Configuration() {
  const served = useRoutes()?.has(CONFIG);
  const lacking = useLacking()(CONFIG);
  const { data, error } = useQuery({
    queryKey: ['config'],
    queryFn: ({ signal }) => ask<Record<string, unknown>>('config', { signal }),
    enabled: served === true && lacking === undefined,
    placeholderData: keepPreviousData,
  });
  if (served === false) {
    return (
      <Panel>
        <Empty title="This server does not show its configuration">
          Read it in the folder of the server: <Code>npx tasker config show</Code>
        </Empty>
      </Panel>
    );
  }
  return (
    <Readable route={CONFIG}>
      {error && <Problem error={error} />}
      {data && (
        <Panel title="Of this server, with secrets hidden">
          <JsonTree name="the configuration" value={data} />
        </Panel>
      )}
    </Readable>
  );
}

function Browser() {
  const [theme, setTheme] = useState(chosenTheme);
  return (
    <Panel>
      <fieldset className="flex flex-wrap items-center gap-4 px-4 py-3 text-sm">
        <legend className="sr-only">Theme</legend>
        <span className="text-soft">Theme</span>
        {THEMES.map((one) => (
          <label key={one} className="flex items-center gap-1.5 capitalize">
            <input
              type="radio"
              name="theme"
              checked={theme === one}
              onChange={() => {
                chooseTheme(one);
                setTheme(one);
              }}
            />
            {one}
          </label>
        ))}
      </fieldset>
    </Panel>
  );
}
