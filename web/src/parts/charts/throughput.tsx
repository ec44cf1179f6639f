import { lazy, Suspense } from 'react';
import { Panel } from '../controls.tsx';
import type { Point } from './chart.tsx';

const Chart = lazy(() => import('./chart.tsx'));

/** Attempts over time as a chart. */
export function Throughput({ title, points }: { title: string; points: readonly Point[] }) {
  return (
    <Panel title={title}>
      <Suspense fallback={<div className="h-[184px]" />}>
        <Chart points={points} />
      </Suspense>
    </Panel>
  );
}
