import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { ask } from '../api/client.ts';
import { useLacking } from '../api/me.tsx';
import { usePolling } from '../api/polling.ts';
import { useRoutes } from '../api/routes.ts';
import type { FailureGroup, Summary } from '../api/types.ts';
import { useLinks, useNamespace } from '../frame/namespace.ts';
import { type BulkAct, BulkDialog } from '../parts/bulk-dialog.tsx';
import { Button, Empty, Heading, Panel, Problem } from '../parts/controls.tsx';
import { Time } from '../parts/text.tsx';
import { counted, numberText } from '../parts/words.ts';

const SUMMARY_MS = 5_000;

export default function Errors() {
  const routes = useRoutes();
  const namespace = useNamespace();
  const served = routes?.has('GET /v1/summary');
  const { data, error } = useQuery({
    queryKey: ['summary', namespace],
    queryFn: ({ signal }) => ask<Summary>('v1/summary', { query: { namespace }, signal }),
    enabled: served === true,
    refetchInterval: usePolling(SUMMARY_MS),
    placeholderData: keepPreviousData,
  });
  const { failed, waiting_for_retry: retrying } = data ?? {};
  const nothing = served === false || (failed?.steps === 0 && retrying?.steps === 0);
  return (
    <>
      <Heading title="Errors" answer={data ? answerOf(data) : '\u00a0'} />
      {error && !data && <Problem error={error} />}
      {failed && failed.groups.length > 0 && (
        <Panel title="Failed" more={moreOf(failed.more_groups)}>
          <Groups groups={failed.groups} time="last" />
        </Panel>
      )}
      {retrying && retrying.groups.length > 0 && (
        <Panel title="Waiting for a retry" more={moreOf(retrying.more_groups)}>
          <Groups groups={retrying.groups} time="due" />
        </Panel>
      )}
      {nothing && (
        <Panel>
          <Empty title="No errors">Failed steps and steps that wait for a retry are grouped here by their cause.</Empty>
        </Panel>
      )}
    </>
  );
}

function answerOf({ failed, waiting_for_retry: retrying }: Summary): string {
  const parts = [
    failed.steps > 0 &&
      `${counted(failed.steps, 'step')} failed for ${counted(failed.groups.length + failed.more_groups, 'cause')}`,
    retrying.steps > 0 && `${numberText(retrying.steps)} wait for a retry`,
  ].filter(Boolean);
  return parts.length > 0 ? parts.join(', ') : 'No step has failed';
}

const moreOf = (count: number) => (count > 0 ? `and ${counted(count, 'smaller group')}` : undefined);

/** Failures with the same cause. Each leads to its tasks. */
export function Groups({ groups, time }: { groups: readonly FailureGroup[]; time: 'last' | 'due' }) {
  const link = useLinks();
  const [act, setAct] = useState<BulkAct>();
  const lacking = useLacking();
  const bulk = useRoutes()?.has('POST /v1/bulk-acts') ?? false;
  return (
    <>
      <ul>
        {groups.map((group) => {
          const filter = Object.fromEntries(Object.entries(group.filter).map(([name, value]) => [name, String(value)]));
          return (
            <li
              key={`${group.namespace}/${group.name}@${group.version} ${group.step} ${group.error_type} ${group.pattern}`}
              className="flex items-start gap-4 border-b border-line px-4 py-3 last:border-b-0 hover:bg-hover"
            >
              <span
                className={`w-[68px] shrink-0 text-right text-lg leading-6 font-semibold tabular-nums ${time === 'last' ? 'text-s-red' : 'text-s-amber'}`}
              >
                {numberText(group.count)}
              </span>
              <div className="min-w-0 grow">
                <Link to={link('tasks', filter)} className="font-medium break-words hover:text-accent hover:underline">
                  {group.pattern ?? group.error_type ?? 'an error without a text'}
                </Link>
                <p className="mt-0.5 text-sm text-soft">
                  <span className="font-mono text-xs">{group.error_type}</span> in {group.step} of {group.namespace}/
                  {group.name} {group.version}
                </p>
              </div>
              <div className="hidden shrink-0 text-right text-sm text-soft sm:block">
                <div>
                  {time === 'last' ? 'last' : 'due'} <Time at={group.last_at} />
                </div>
                <Link
                  to={link(`tasks/${group.task_uuid}`, { step: group.step })}
                  className="hover:text-accent hover:underline"
                >
                  Show one
                </Link>
              </div>
              {bulk && (
                <Button
                  lacking={lacking('POST /v1/bulk-acts')}
                  aria-label={`Retry ${group.pattern ?? group.error_type}`}
                  onClick={() => setAct({ action: 'task_retry', verb: 'Retry', filter: group.filter })}
                >
                  Retry
                </Button>
              )}
            </li>
          );
        })}
      </ul>
      {act && <BulkDialog act={act} onClose={() => setAct(undefined)} />}
    </>
  );
}
