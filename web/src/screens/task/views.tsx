import { lazy, Suspense } from 'react';
import { Panel } from '../../parts/controls.tsx';
import { JsonTree } from '../../parts/json-tree.tsx';
import { EventsView } from './events-view.tsx';
import { HistoryView } from './history-view.tsx';
import { StepsView } from './steps-view.tsx';
import { Timeline } from './timeline.tsx';
import type { TaskData } from './use-task.ts';

const Graph = lazy(() => import('./graph.tsx'));

export const VIEWS = [
  { key: 'graph', name: 'Graph' },
  { key: 'timeline', name: 'Timeline' },
  { key: 'steps', name: 'Steps' },
  { key: 'history', name: 'History' },
  { key: 'events', name: 'Events' },
  { key: 'data', name: 'Data' },
] as const;

export interface ViewProps {
  data: TaskData;
  selected: string | undefined;
  onSelect(step: string | undefined): void;
}

/** One of the views of a task. They share the selected step. */
export function View({ view, ...props }: ViewProps & { view: (typeof VIEWS)[number]['key'] }) {
  switch (view) {
    case 'graph':
      return (
        <Suspense fallback={<div className="h-[280px]" />}>
          <Graph {...props} />
        </Suspense>
      );
    case 'timeline':
      return <Timeline {...props} />;
    case 'steps':
      return <StepsView {...props} />;
    case 'history':
      return <HistoryView {...props} />;
    case 'events':
      return <EventsView {...props} />;
    case 'data':
      return <ContentsView {...props} />;
  }
}

function ContentsView({ data: { task, steps } }: ViewProps) {
  return (
    <>
      <Panel title="Context">
        <JsonTree name="the context" value={task.context} />
      </Panel>
      {steps
        .filter(({ results }) => results?.success)
        .map(({ name, results }) => (
          <Panel key={name} title={`Result of ${name}`}>
            <JsonTree name={`the result of ${name}`} value={results?.result} />
          </Panel>
        ))}
    </>
  );
}
