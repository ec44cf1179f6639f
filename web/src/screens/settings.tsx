import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { addressOf, ask } from '../api/client.ts';
import { usePolling } from '../api/polling.ts';
import type { Health } from '../api/types.ts';
import { chooseTheme, chosenTheme, THEMES } from '../frame/theme.ts';
import { Heading, Panel } from '../parts/controls.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { durationText } from '../parts/words.ts';

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

export default function Settings() {
  const [theme, setTheme] = useState(chosenTheme);
  const { data } = useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => ask<Health>('health/detailed', { signal }),
    refetchInterval: usePolling(10_000),
  });
  const checks = Object.entries(data?.checks ?? {}).map(([name, check]) => ({ name, ...check }));
  return (
    <>
      <Heading
        title="Settings"
        answer={
          data ? `tasker-core ${data.info.version}, ${data.info.environment}: the server is ${data.status}` : '\u00a0'
        }
      />
      <Panel title="Health">
        <Grid name="Health" columns={COLUMNS} rows={checks} keyOf={({ name }) => name} />
      </Panel>
      <Panel title="This browser">
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
      <Panel title="API">
        <p className="px-4 py-3 text-sm text-soft">
          Everything here uses the HTTP API.{' '}
          <a className="text-accent underline" href={addressOf('api-docs/ui').href}>
            Read and try it
          </a>
        </p>
      </Panel>
    </>
  );
}
