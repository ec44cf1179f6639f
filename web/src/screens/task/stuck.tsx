import { useState } from 'react';
import { Link } from 'react-router';
import { api } from '../../api/client.ts';
import { useLacking } from '../../api/me.tsx';
import type { Method } from '../../api/routes.ts';
import type { StepResponse, Task, TaskFamily } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { useOfferedActs } from '../../frame/page-acts.ts';
import { type Act, ActDialog } from '../../parts/act-dialog.tsx';
import { Button } from '../../parts/controls.tsx';
import { Prose } from '../../parts/prose.tsx';
import { counted, runAgain } from '../../parts/words.ts';
import { ApprovalActs } from '../approval/approval-acts.tsx';
import { useFamily } from './family.tsx';
import { fireOf, retryOf, signalsOf } from './step/step-acts.tsx';
import { useApproval } from './step/step-approval.tsx';
import { hasEnded } from './task-words.ts';
import type { TaskData } from './use-task.ts';

/** A remedy for a stuck task: an action, or a screen on which to act. */
type Move = { name: string; method: Method; act: Act } | { name: string; screen: string };

interface StuckProps {
  data: TaskData;
  onSelect(step: string): void;
}

/** Explains why a task makes no progress, with the action that would help. */
export function Stuck({ data, onSelect }: StuckProps) {
  const { task, why, steps } = data;
  const family = useFamily(task);
  const [act, setAct] = useState<Act>();
  const lacking = useLacking();
  const link = useLinks();
  const isShown = why !== undefined && task.status !== 'complete';
  const move = !isShown || hasEnded(task.status) ? undefined : moveOf(data, family);
  useOfferedActs(
    move && 'act' in move ? [{ name: move.act.title, method: move.method, run: () => setAct(move.act) }] : [],
  );
  if (!isShown) return null;
  // A batch may continue without its failed workers.
  const isBad = task.status === 'blocked_by_failures' || task.status === 'error';
  const failed = isBad ? (steps?.filter(({ current_state: state }) => state === 'error') ?? []) : [];
  const asked = move ? undefined : approvalOf(data);
  const needed = move && 'act' in move ? lacking(move.method) : undefined;
  return (
    <section
      aria-label="Why"
      className={`mt-3 flex flex-wrap items-start gap-x-4 gap-y-2 rounded-md border-l-2 px-3 py-2 text-sm ${isBad ? 'border-s-red bg-t-red' : 'border-edge bg-hover'}`}
    >
      <div className="min-w-0 grow basis-80 break-words">
        <div>
          <Prose text={why.summary} names={why.steps.map(({ step }) => step)} />
        </div>
        {failed.slice(0, 3).map(({ name, results }) => (
          <p key={name} className="mt-1 text-soft [overflow-wrap:anywhere]">
            <button
              type="button"
              className="font-medium hover:text-accent hover:underline"
              onClick={() => onSelect(name)}
            >
              {name}
            </button>
            : {results?.error?.message}
          </p>
        ))}
      </div>
      {move &&
        ('act' in move ? (
          <div className="text-right">
            <Button look="primary" lacking={needed} onClick={() => setAct(move.act)}>
              {move.name}
            </Button>
            {needed && <p className="mt-1 text-xs text-soft">needs the permission {needed}</p>}
          </div>
        ) : (
          <Link
            to={link(move.screen)}
            className="inline-flex h-8 items-center rounded-md border border-edge bg-surface px-3 font-medium whitespace-nowrap hover:bg-hover"
          >
            {move.name}
          </Link>
        ))}
      {asked && <VoteHere step={asked} />}
      {act && <ActDialog act={act} onClose={() => setAct(undefined)} />}
    </section>
  );
}

/** Returns the step that waits for an approval. */
function approvalOf({ task, steps }: TaskData): StepResponse | undefined {
  if (hasEnded(task.status)) return undefined;
  return steps?.find(({ current_state: state, wait }) => state === 'waiting' && wait?.kind === 'approval');
}

/** The buttons that decide an approval, with the form of the template. */
function VoteHere({ step }: { step: StepResponse }) {
  const approval = useApproval(step);
  return approval ? <ApprovalActs approval={approval} /> : null;
}

function moveOf({ task, steps, why }: TaskData, family: TaskFamily | undefined): Move | undefined {
  const { task_uuid: uuid, paused } = task;
  if (paused?.some(({ scope }) => scope === 'task')) return resumeOf(uuid);
  if (paused && paused.length > 0) return { name: 'Show the pauses', screen: 'queues' };
  if (task.status === 'blocked_by_failures') return retryAllOf(task);
  if (task.starts_at) return startOf(uuid);
  const retrying = steps?.find(({ current_state: state }) => state === 'waiting_for_retry');
  if (retrying) return moveBy(retryOf(retrying));
  const waiting = steps?.find(({ current_state: state }) => state === 'waiting');
  if (waiting?.wait?.kind === 'timer') return moveBy(fireOf(waiting));
  if (waiting?.wait?.kind === 'signal') return moveBy(signalsOf(waiting)[0]!);
  if (waiting?.wait?.kind === 'task' || waiting?.wait?.kind === 'tasks') {
    const child = family?.children.find(
      ({ step, awaited, completed_at: at }) => awaited && at === null && step === waiting.name,
    );
    return child && { name: 'Open the child task', screen: `tasks/${child.task_uuid}` };
  }
  const ready = why?.steps.find(({ state }) => state === 'enqueued');
  return ready && /no running worker|draining/.test(ready.why)
    ? { name: 'Show the workers', screen: 'workers' }
    : undefined;
}

function moveBy({ name, method, act }: ReturnType<typeof retryOf>): Move | undefined {
  return act && { name, method, act };
}

/** Retries all failed steps of a task. */
export function retryAllOf({ task_uuid: uuid, failed_steps: count }: Task): Move & { act: Act; method: Method } {
  return {
    name: 'Retry',
    method: api.tasks.retry,
    act: {
      title: 'Retry the task',
      verb: `Retry ${counted(count, 'step')}`,
      preview: `${runAgain(count, 'step')} with a full set of attempts, and the task continues. Completed steps keep their results.`,
      run: (said) => api.tasks.retry(uuid, said),
    },
  };
}

export function resumeOf(uuid: string): Move & { act: Act; method: Method } {
  return {
    name: 'Resume',
    method: api.tasks.resume,
    act: {
      title: 'Resume the task',
      verb: 'Resume the task',
      preview: 'The pause ends, and the ready steps of the task start.',
      run: (said) => api.tasks.resume(uuid, said),
    },
  };
}

function startOf(uuid: string): Move {
  return {
    name: 'Start now',
    method: api.tasks.startNow,
    act: {
      title: 'Start the task now',
      verb: 'Start the task',
      preview: 'The first steps start now instead of at the start time of the task.',
      run: (said) => api.tasks.startNow(uuid, said),
    },
  };
}
