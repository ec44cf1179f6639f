import { usePrecaution } from '../api/polling.ts';
import { useSummary } from '../api/summary.ts';
import type { FailureGroup, Summary } from '../api/types.ts';
import { Empty, Heading, Panel } from '../parts/controls.tsx';
import { ExportMenu } from '../parts/export-menu.tsx';
import { ReadProblem } from '../parts/read-problem.tsx';
import { counted, numberText } from '../parts/words.ts';
import { CauseList } from './errors/cause-list.tsx';
import { causesOf } from './errors/causes.ts';
import { ErrorFilter, FILTERS, useErrorConditions } from './errors/error-filter.tsx';

const SUMMARY_MS = 5_000;

export default function Errors() {
  const conditions = useErrorConditions();
  const { data: read, error, isPlaceholderData } = useSummary({ conditions, interval: usePrecaution(SUMMARY_MS) });
  // Results for earlier conditions must not be shown as results for these.
  const data = isPlaceholderData ? undefined : read;
  const isFiltered = FILTERS.some((name) => conditions[name] !== undefined);
  const { failed, waiting_for_retry: retrying } = data ?? {};
  const late = failed?.timed_out || retrying?.timed_out;
  return (
    <>
      <Heading title="Errors" answer={data ? answerOf(data) : '\u00a0'} />
      <ErrorFilter />
      <ReadProblem error={error} hasData={data !== undefined} />
      {late && (
        <p className="mb-4 rounded-md bg-t-amber px-3 py-2 text-sm text-s-amber">
          There are so many failures that grouping them took too long. Choose a namespace, a template or a shorter time.
        </p>
      )}
      {failed && failed.groups.length > 0 && (
        <Panel title="Failed" more={<More count={failed.more_groups} name="Failed" groups={failed.groups} />}>
          <CauseList groups={failed.groups} time="last" />
        </Panel>
      )}
      {retrying && retrying.groups.length > 0 && (
        <Panel
          title="Waiting for a retry"
          more={<More count={retrying.more_groups} name="Waiting for a retry" groups={retrying.groups} />}
        >
          <CauseList groups={retrying.groups} time="due" />
        </Panel>
      )}
      {failed?.steps === 0 && retrying?.steps === 0 && !late && (
        <Panel>
          {isFiltered ? (
            <Empty title="No error matches">
              Choose a longer time or another template, or search for another text.
            </Empty>
          ) : (
            <Empty title="No errors">
              Failed steps and steps that wait for a retry are grouped here by their cause.
            </Empty>
          )}
        </Panel>
      )}
    </>
  );
}

function More({ count, name, groups }: { count: number; name: string; groups: readonly FailureGroup[] }) {
  return (
    <span className="inline-flex items-center gap-2">
      {count > 0 && `and ${counted(count, 'smaller group')}`}
      <ExportMenu name={name} rows={groups} />
    </span>
  );
}

function answerOf({ failed, waiting_for_retry: retrying }: Summary): string {
  const causes = causesOf(failed.groups).length + failed.more_groups;
  const parts = [
    failed.steps > 0 && `${counted(failed.steps, 'step')} failed for ${counted(causes, 'cause')}`,
    retrying.steps > 0 && `${numberText(retrying.steps)} ${retrying.steps === 1 ? 'waits' : 'wait'} for a retry`,
  ].filter(Boolean);
  return parts.length > 0 ? parts.join(', ') : 'No step has failed';
}
