import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api } from '../../api/client.ts';
import type { FailureGroup, TaskConditions } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { type BulkAct, BulkDialog, useLackingBulk } from '../../parts/bulk-dialog.tsx';
import { Trend } from '../../parts/charts/trend.tsx';
import { Button } from '../../parts/controls.tsx';
import { Time } from '../../parts/text.tsx';
import { counted, numberText } from '../../parts/words.ts';
import { Frames } from '../task/step/step-problem.tsx';
import { type Cause, causesOf, queryOfGroup } from './causes.ts';

interface CauseListProps {
  groups: readonly FailureGroup[];
  /** `last`: failed steps, with the time of the last. `due`: steps that wait for a retry, with the time of the last. */
  time: 'last' | 'due';
  /** Maximum number of causes to show, without the details. */
  most?: number;
}

/** Failures by their cause, most failures first. */
export function CauseList({ groups, time, most }: CauseListProps) {
  const [act, setAct] = useState<BulkAct>();
  const causes = causesOf(groups);
  const begin = (action: BulkAct['action'], cause: Cause) =>
    setAct({
      action,
      what: 'all tasks of this cause',
      targets: cause.groups.map(({ filter }) => ({ filter })),
    });
  return (
    <>
      <ul>
        {causes.slice(0, most).map((cause) => (
          <CauseRow key={cause.key} cause={cause} time={time} brief={most !== undefined} onAct={begin} />
        ))}
      </ul>
      {act && <BulkDialog act={act} onClose={() => setAct(undefined)} />}
    </>
  );
}

interface CauseRowProps {
  cause: Cause;
  time: 'last' | 'due';
  brief: boolean;
  onAct(action: BulkAct['action'], cause: Cause): void;
}

function CauseRow({ cause, time, brief, onAct }: CauseRowProps) {
  const link = useLinks();
  const lacking = useLackingBulk();
  const [open, setOpen] = useState(false);
  const { title, errorType, count, lastAt, groups } = cause;
  const [first] = groups;
  const act = (action: 'task_retry' | 'task_cancel', verb: string) => (
    <Button
      look={action === 'task_cancel' ? 'danger' : 'plain'}
      lacking={lacking(action)}
      aria-label={`${verb} ${title}`}
      onClick={() => onAct(action, cause)}
    >
      {verb}
    </Button>
  );
  return (
    <li className="border-b border-line last:border-b-0">
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2 px-4 py-3 sm:flex-nowrap">
        <span
          className={`min-w-10 shrink-0 text-right text-lg leading-6 font-semibold tabular-nums ${time === 'last' ? 'text-s-red' : 'text-s-amber'}`}
        >
          {numberText(count)}
        </span>
        <div className={`min-w-0 flex-1 sm:basis-0 ${brief ? 'basis-36' : 'basis-52'}`}>
          <Link
            to={link('tasks', queryOfGroup(first!))}
            className="font-medium break-words hover:text-accent hover:underline"
          >
            {title}
          </Link>
          <p className="mt-0.5 text-sm text-soft">
            {errorType && <span className="mr-1.5 font-mono text-xs">{errorType}</span>}
            {groups.length === 1 ? `${placeOf(first!)}` : placesOf(groups)}
          </p>
        </div>
        <div className="hidden shrink-0 items-center gap-4 lg:flex">
          {time === 'last' && <Trend filter={trendOf(cause)} />}
          <span className="w-28 text-right text-sm whitespace-nowrap text-soft">
            {time === 'last' ? 'last' : 'due'} <Time at={lastAt} />
          </span>
        </div>
        <div className={`flex shrink-0 gap-2 ${brief ? '' : 'max-sm:ml-14'}`}>
          {!brief && (
            <Button look="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
              Details
            </Button>
          )}
          {act('task_retry', 'Retry')}
          {!brief && act('task_cancel', 'Cancel')}
        </div>
      </div>
      {open && <Details cause={cause} />}
    </li>
  );
}

/** The condition on the cause that all its groups share. */
function trendOf({ groups, errorType }: Cause): TaskConditions {
  // The server writes only conditions of the list of tasks.
  if (groups.length === 1 || errorType === null) return queryOfGroup(groups[0]!) as TaskConditions;
  return { error_type: errorType };
}

const placeOf = ({ step, namespace, name, version }: FailureGroup) => `in ${step} of ${namespace}/${name} ${version}`;

function placesOf(groups: readonly FailureGroup[]): string {
  const templates = new Set(groups.map(({ namespace, name }) => `${namespace}/${name}`));
  const steps = counted(groups.length, 'step');
  return `in ${steps} of ${templates.size === 1 ? [...templates].join('') : counted(templates.size, 'template')}`;
}

/** Where the error of the example was thrown. */
function ExampleFrames({ of: { task_uuid: uuid, step, last_at: at } }: { of: FailureGroup }) {
  const { data } = useQuery({
    queryKey: ['example', uuid, step, at],
    queryFn: ({ signal }) => api.tasks.history(uuid, { step, limit: 1000 }, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const error = data?.entries.findLast((entry) => entry.error !== null)?.error;
  return <Frames of={error?.backtrace} />;
}

/** An example of a cause, and the affected steps of templates. */
function Details({ cause: { groups, title } }: { cause: Cause }) {
  const link = useLinks();
  const [first] = groups;
  return (
    <div className="border-t border-line bg-page px-4 py-3 sm:pl-[63px]">
      <h3 className="text-xs text-faint">Example</h3>
      <p className="mt-1 font-mono text-xs break-words whitespace-pre-wrap">{first!.error ?? title}</p>
      <ExampleFrames of={first!} />
      <Link
        to={link(`tasks/${first!.task_uuid}`, { step: first!.step })}
        className="mt-1 inline-block text-sm text-accent hover:underline"
      >
        Open this task
      </Link>
      <h3 className="mt-3 text-xs text-faint">Affected</h3>
      <ul className="mt-1 text-sm">
        {groups.map((group) => (
          <li key={`${group.namespace}/${group.name}@${group.version} ${group.step}`} className="flex gap-3 py-0.5">
            <Link
              to={link('tasks', queryOfGroup(group))}
              className="w-20 shrink-0 tabular-nums hover:text-accent hover:underline"
            >
              {counted(group.count, 'step')}
            </Link>
            <span>
              {group.step} <span className="text-faint">of</span> {group.namespace}/{group.name} {group.version}{' '}
              <span className="text-faint">
                first <Time at={group.first_at} />, last <Time at={group.last_at} />
              </span>
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
