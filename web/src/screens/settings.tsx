import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { addressOf, server } from '../api/client.ts';
import { useLacking } from '../api/me.tsx';
import { usePolling } from '../api/polling.ts';
import { useRoutes } from '../api/routes.ts';
import type { Health } from '../api/types.ts';
import { chooseTheme, chosenTheme, THEMES } from '../frame/theme.ts';
import { Readable } from '../parts/act-button.tsx';
import { Code, Empty, Heading, Panel } from '../parts/controls.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { ReadProblem } from '../parts/read-problem.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { TabPanel, Tabs, useTab } from '../parts/tabs.tsx';
import { durationText } from '../parts/words.ts';
import { ZonePicker } from '../parts/zone-picker.tsx';
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
    queryFn: ({ signal }) => server.detailed({ signal }),
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

interface Key {
  key: string;
  value: unknown;
}

const KEYS: readonly Column<Key>[] = [
  { head: 'Key', cell: ({ key }) => <span className="font-mono text-xs">{key}</span> },
  {
    head: 'Value',
    kind: 'wide',
    cell: ({ value }) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return (
        <span className="font-mono text-xs text-soft" title={text}>
          {text}
        </span>
      );
    },
  },
];

/** Returns the keys of a configuration with the names of their sections, as they are in the file. */
function keysOf(value: object, section = ''): Key[] {
  return Object.entries(value).flatMap(([name, inner]) => {
    const key = section === '' ? name : `${section}.${name}`;
    const isSection = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
    return isSection ? keysOf(inner as object, key) : [{ key, value: inner as unknown }];
  });
}

function Configuration() {
  const served = useRoutes()?.has(CONFIG);
  const lacking = useLacking()(CONFIG);
  const { data, error } = useQuery({
    queryKey: ['config'],
    queryFn: ({ signal }) => server.config({ signal }),
    enabled: served === true && lacking === undefined,
    placeholderData: keepPreviousData,
  });
  if (served === false) {
    return (
      <Panel>
        <Empty title="This server does not show its configuration">
          Read it in the folder of the server with <Code>npx tasker config show</Code>, or turn on{' '}
          <Code>orchestration.web.config_endpoint_enabled</Code>.
        </Empty>
      </Panel>
    );
  }
  return (
    <Readable method={CONFIG}>
      <ReadProblem error={error} hasData={data !== undefined} />
      {data && (
        <Panel title="Of this server, with secrets hidden">
          <Grid
            name="Configuration"
            columns={KEYS}
            rows={keysOf(data.configuration as object)}
            keyOf={({ key }) => key}
          />
        </Panel>
      )}
    </Readable>
  );
}

function Browser() {
  const [theme, setTheme] = useState(chosenTheme);
  return (
    <Panel>
      <fieldset className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3.5 text-sm">
        <legend className="sr-only">Theme</legend>
        <span className="w-20 text-soft">Theme</span>
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
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2 text-sm">
        <span className="w-20 text-soft">Time zone</span>
        <ZonePicker className="border-edge!" />
      </div>
    </Panel>
  );
}
