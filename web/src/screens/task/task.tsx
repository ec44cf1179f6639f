import { type ReactNode, useEffect, useRef } from 'react';
import { useParams, useSearchParams } from 'react-router';
import { Empty, Heading, Panel, Problem } from '../../parts/controls.tsx';
import { TabPanel, Tabs } from '../../parts/tabs.tsx';
import { Drawer } from './step/drawer.tsx';
import { TaskHeader } from './task-header.tsx';
import { type TaskData, useTask } from './use-task.ts';
import { VIEWS, View } from './views.tsx';

export default function TaskScreen() {
  const { uuid = '' } = useParams();
  const { data, error } = useTask(uuid);
  const [search, setSearch] = useSearchParams();
  const view = VIEWS.find(({ key }) => key === search.get('view')) ?? VIEWS[0]!;
  // Does not scroll to a step in the address, because the reason of the task's state is above it.
  const chosen = useRef(false);
  const select = (step: string | undefined) => {
    chosen.current = true;
    setSearch(
      (now) => {
        if (step) now.set('step', step);
        else now.delete('step');
        return now;
      },
      { replace: true },
    );
  };
  if (!data && error) {
    return (
      <>
        <Heading title="Task" />
        <Problem error={error} />
        <Panel>
          <Empty title="This task cannot be shown">It may have been deleted, or it belongs to another namespace.</Empty>
        </Panel>
      </>
    );
  }
  if (!data) return null;
  const step = search.get('step') ?? undefined;
  const selected = step !== undefined && isKnown(data, step) ? step : undefined;
  return (
    <>
      <TaskHeader data={data} onSelect={select} />
      <Tabs
        label="Views of the task"
        tabs={VIEWS}
        current={view.key}
        onChoose={(key) =>
          setSearch((now) => {
            now.set('view', key);
            return now;
          })
        }
      />
      <div className="flex flex-col gap-4 lg:flex-row">
        <div className="min-w-0 grow">
          <TabPanel current={view.key}>
            <View view={view.key} data={data} selected={selected} onSelect={select} />
          </TabPanel>
        </div>
        {selected !== undefined && (
          <ShownBelow key={selected} when={chosen.current}>
            <Drawer data={data} selected={selected} onSelect={select} onClose={() => select(undefined)} />
          </ShownBelow>
        )}
      </div>
    </>
  );
}

/** Scrolls to its content on a small screen, where the content is below the views. */
function ShownBelow({ when, children }: { when: boolean; children: ReactNode }) {
  const place = useRef<HTMLDivElement>(null);
  const first = useRef(when);
  useEffect(() => {
    if (first.current && matchMedia('(width < 64rem)').matches) place.current?.scrollIntoView({ block: 'start' });
  }, []);
  return (
    <div ref={place} className="shrink-0 scroll-mt-16 self-start max-lg:w-full">
      {children}
    </div>
  );
}

/** Returns whether a name is that of a step or a batch of the task. */
function isKnown({ shape }: TaskData, name: string): boolean {
  return shape.groupOf.has(name) || shape.byName.has(name);
}
