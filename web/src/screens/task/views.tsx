import { lazy, Suspense } from 'react';
import { ContentsView } from './contents-view.tsx';
import { EventsView } from './events-view.tsx';
import { HistoryView } from './history-view.tsx';
import { LogsView } from './logs-view.tsx';
import { StepsView } from './steps-view.tsx';
import { Timeline } from './timeline.tsx';
import './task.css';
import type { ViewProps } from './use-task.ts';

// Loaded while the task is requested.
const graph = import('./graph/graph.tsx');
const Graph = lazy(() => graph);

export const VIEWS = [
  { key: 'graph', name: 'Graph' },
  { key: 'timeline', name: 'Timeline' },
  { key: 'steps', name: 'Steps' },
  { key: 'history', name: 'History' },
  { key: 'logs', name: 'Logs' },
  { key: 'events', name: 'Events' },
  { key: 'data', name: 'Data' },
] as const;

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
    case 'logs':
      return <LogsView {...props} />;
    case 'events':
      return <EventsView {...props} />;
    case 'data':
      return <ContentsView {...props} />;
  }
}
