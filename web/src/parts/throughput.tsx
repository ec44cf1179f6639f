import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { ask } from '../api/client.ts';
import { usePolling } from '../api/polling.ts';
import { useRoutes } from '../api/routes.ts';
import { useNamespace } from '../frame/namespace.ts';
import type { Point } from './chart.tsx';
import { Panel } from './controls.tsx';

const Chart = lazy(() => import('./chart.tsx'));
const STATS_MS = 30_000;

/** The attempts of the last hours as a chart. */
export function Throughput({ hours }: { hours: number }) {
  const routes = useRoutes();
  const namespace = useNamespace();
  const { data } = useQuery({
    queryKey: ['stats', hours, namespace],
    queryFn: ({ signal }) =>
      ask<{ timeline: Point[] }>('v1/stats', { query: { since: `${hours}h`, limit: 1, namespace }, signal }),
    enabled: routes?.has('GET /v1/stats') ?? false,
    refetchInterval: usePolling(STATS_MS),
    placeholderData: keepPreviousData,
  });
  if (!data) return null;
  return (
    <Panel title={hours === 1 ? 'Attempts of the last hour' : 'Attempts'}>
      <Suspense fallback={<div className="h-[184px]" />}>
        <Chart points={data.timeline} />
      </Suspense>
    </Panel>
  );
}
