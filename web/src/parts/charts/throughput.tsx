import { lazy, Suspense } from 'react';
import type { Statistics } from '../../api/types.ts';
import { Panel } from '../controls.tsx';

const Chart = lazy(() => import('./chart.tsx'));

/** Attempts over time as a chart. */
export function Throughput({ title, of }: { title: string; of: Statistics }) {
  return (
    <Panel title={title}>
      <Suspense fallback={<div className="h-[184px]" />}>
        <Chart of={of} />
      </Suspense>
    </Panel>
  );
}
