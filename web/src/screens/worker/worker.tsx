import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { api } from '../../api/client.ts';
import { usePolling } from '../../api/polling.ts';
import type { RunningStep, Worker } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { Figures } from '../../parts/charts/figures.tsx';
import { Empty, Heading, Panel } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { ReadProblem } from '../../parts/read-problem.tsx';
import { Time } from '../../parts/text.tsx';
import { counted, durationText, numberText } from '../../parts/words.ts';
import { WorkerAct, WorkerState } from './worker-types.tsx';

const WORKER_MS = 3_000;

const STEPS: readonly Column<RunningStep>[] = [
  { head: 'Step', cell: (step) => <StepLink step={step} /> },
  {
    head: 'Template',
    cell: ({ namespace, template, version }) => (
      <span>
        <span className="text-faint">{namespace}/</span>
        {template} <span className="text-xs text-faint">{version}</span>
      </span>
    ),
  },
  { head: 'Handler', kind: 'wide', cell: ({ handler }) => <span className="font-mono text-xs">{handler}</span> },
  { head: 'Attempt', kind: 'num', cell: ({ attempt }) => attempt },
  { head: 'Runs for', kind: 'num', cell: ({ age_ms }) => durationText(age_ms) },
  { head: 'Started', kind: 'num', cell: ({ started_at }) => <Time at={started_at} /> },
];

const MISSING: readonly Column<Worker['missing_handlers'][number]>[] = [
  { head: 'Handler', cell: ({ handler }) => <span className="font-mono text-xs text-s-red">{handler}</span> },
  { head: 'Step', cell: ({ step }) => step },
  {
    head: 'Template',
    kind: 'wide',
    cell: ({ namespace, template, version }) => `${namespace}/${template} ${version}`,
  },
];

function StepLink({ step: { task_uuid: uuid, step } }: { step: RunningStep }) {
  const link = useLinks();
  return (
    <Link className="font-medium hover:text-accent hover:underline" to={link(`tasks/${uuid}`, { step })}>
      {step}
    </Link>
  );
}

export default function WorkerScreen() {
  const { name = '' } = useParams();
  const link = useLinks();
  const { data, error } = useQuery({
    queryKey: ['worker', name],
    queryFn: ({ signal }) => api.workers.get(name, { signal }),
    refetchInterval: usePolling(WORKER_MS),
    placeholderData: keepPreviousData,
  });
  return (
    <>
      <nav aria-label="Breadcrumbs" className="mb-1 text-sm text-faint">
        <Link to={link('workers')} className="hover:text-ink hover:underline">
          Workers
        </Link>
      </nav>
      <Heading title={data?.name ?? 'Worker'} answer={data ? <Answer worker={data} /> : '\u00a0'}>
        {data && <WorkerAct worker={data} />}
      </Heading>
      <ReadProblem error={error} hasData={data !== undefined} />
      {data && (
        <>
          <Figures
            figures={[
              { name: 'Slots in use', value: `${data.running} of ${data.concurrency}` },
              { name: 'Completed', value: numberText(data.completed ?? 0) },
              { name: 'Failed', value: numberText(data.failed ?? 0), bad: (data.failed ?? 0) > 0 },
              { name: 'Per second', value: (data.completed_per_second ?? 0).toFixed(1) },
              { name: 'Event loop lag', value: data.loop_lag_ms === null ? '–' : durationText(data.loop_lag_ms) },
            ]}
          />
          {data.missing_handlers.length > 0 && (
            <Panel title="Missing handlers">
              <Grid
                name="Missing handlers"
                columns={MISSING}
                rows={data.missing_handlers}
                keyOf={({ namespace, template, version, step }) => `${namespace}/${template}@${version} ${step}`}
              />
            </Panel>
          )}
          <Panel title="Running steps">
            {data.steps.length > 0 ? (
              <Grid
                name="Running steps"
                columns={STEPS}
                rows={data.steps}
                keyOf={({ task_uuid, step }) => `${task_uuid} ${step}`}
              />
            ) : (
              <Empty title="No step is running">Steps appear here while their handlers run.</Empty>
            )}
          </Panel>
          <Panel title="Handlers">
            <p className="px-4 py-3 font-mono text-xs leading-5 break-words">{data.handlers.join(', ') || 'none'}</p>
          </Panel>
        </>
      )}
    </>
  );
}

function Answer({ worker: { state, host, pid, version, namespaces, started_at: started, drain } }: { worker: Worker }) {
  return (
    <span className="flex flex-wrap items-center gap-x-3">
      <WorkerState state={state} />
      <span>
        {host}, process {pid}
        {version && `, version ${version}`} · {counted(namespaces.length, 'namespace')}: {namespaces.join(', ')} ·
        started <Time at={started} />
        {drain && ` · drained by ${drain.by}${drain.reason ? `: ${drain.reason}` : ''}`}
      </span>
    </span>
  );
}
