import { useParams, useSearchParams } from 'react-router';
import { Empty, Heading, Problem } from '../../parts/controls.tsx';
import { Drawer } from './step/drawer.tsx';
import { TaskHeader } from './task-header.tsx';
import { type TaskData, useTask } from './use-task.ts';
import { VIEWS, View } from './views.tsx';

export default function TaskScreen() {
  const { uuid = '' } = useParams();
  const { data, error } = useTask(uuid);
  const [search, setSearch] = useSearchParams();
  const view = VIEWS.find(({ key }) => key === search.get('view')) ?? VIEWS[0]!;
  const select = (step: string | undefined) =>
    setSearch(
      (now) => {
        if (step) now.set('step', step);
        else now.delete('step');
        return now;
      },
      { replace: true },
    );
  if (!data && error) {
    return (
      <>
        <Heading title="Task" />
        <Problem error={error} />
        <Empty title="This task cannot be shown">It may have been deleted, or it is of another namespace.</Empty>
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
        current={view.key}
        onChoose={(key) =>
          setSearch((now) => {
            now.set('view', key);
            return now;
          })
        }
      />
      <div className="flex flex-col gap-4 lg:flex-row">
        <div role="tabpanel" id="view" aria-labelledby={`tab-${view.key}`} className="min-w-0 grow">
          <View view={view.key} data={data} selected={selected} onSelect={select} />
        </div>
        {selected !== undefined && (
          <Drawer key={selected} data={data} selected={selected} onSelect={select} onClose={() => select(undefined)} />
        )}
      </div>
    </>
  );
}

/** Whether a name is that of a step or a batch of the task. */
function isKnown({ shape }: TaskData, name: string): boolean {
  return shape.groupOf.has(name) || shape.byName.has(name);
}

function Tabs({ current, onChoose }: { current: string; onChoose(key: string): void }) {
  return (
    <div role="tablist" aria-label="Views of the task" className="mb-4 flex gap-1 overflow-x-auto border-b border-line">
      {VIEWS.map(({ key, name }, at) => (
        <button
          key={key}
          id={`tab-${key}`}
          type="button"
          role="tab"
          aria-selected={key === current}
          aria-controls="view"
          tabIndex={key === current ? 0 : -1}
          className={`-mb-px h-9 border-b-2 px-3 text-sm ${key === current ? 'border-accent font-medium' : 'border-transparent text-soft hover:text-ink'}`}
          onClick={() => onChoose(key)}
          onKeyDown={({ key: pressed, currentTarget }) => {
            const step = { ArrowRight: 1, ArrowLeft: -1 }[pressed];
            if (step === undefined) return;
            const next = VIEWS[(at + step + VIEWS.length) % VIEWS.length]!;
            onChoose(next.key);
            currentTarget.parentElement?.querySelector<HTMLElement>(`#tab-${next.key}`)?.focus();
          }}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
