import { type ReactNode, useEffect, useRef } from 'react';
import { useNow } from '../../../api/live.tsx';
import type { StepResponse, StepState } from '../../../api/types.ts';
import { Button, Problem } from '../../../parts/controls.tsx';
import { Prose } from '../../../parts/prose.tsx';
import { State } from '../../../parts/state.tsx';
import { Time } from '../../../parts/text.tsx';
import { timeOf } from '../../../parts/words.ts';
import { ChildTasks } from '../family.tsx';
import { BatchBar, progressText } from '../graph/batch-bar.tsx';
import { Conditions } from '../graph/conditions.tsx';
import { type Group, progressOf, type Shape } from '../graph/shape.ts';
import { stepTimesOf, stepTimeText } from '../task-words.ts';
import type { TaskData } from '../use-task.ts';
import { CopyAs } from './copy-as.tsx';
import { StepActs } from './step-acts.tsx';
import { StepApproval } from './step-approval.tsx';
import { Attempts } from './step-attempts.tsx';
import { InputAndOutput } from './step-io.tsx';
import { StepLogs } from './step-logs.tsx';
import { StepProblem } from './step-problem.tsx';

interface FrameProps {
  name: string;
  facts: ReactNode;
  onClose(): void;
  children: ReactNode;
}

/** Escape closes the step wherever the focus is, except in fields and dialogs, which use the key themselves. */
function useEscape(onEscape: () => void): void {
  const latest = useRef(onEscape);
  latest.current = onEscape;
  useEffect(() => {
    const listen = ({ key, target, defaultPrevented }: KeyboardEvent) => {
      if (key !== 'Escape' || defaultPrevented || document.querySelector('dialog[open], :popover-open')) return;
      if (!(target instanceof Element && target.closest('input, textarea, select'))) latest.current();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, []);
}

function DrawerFrame({ name, facts, onClose, children }: FrameProps) {
  useEscape(onClose);
  return (
    <aside
      aria-label={`Step ${name}`}
      className="w-full min-w-0 shrink-0 self-start rounded-lg border border-line bg-surface lg:w-[420px]"
    >
      <div className="flex items-start justify-between gap-2 border-b border-line px-4 py-3">
        <div className="min-w-0">
          <h2 className="truncate font-semibold" title={name}>
            {name}
          </h2>
          <div className="mt-0.5 flex flex-wrap items-center gap-x-3 text-sm text-soft">{facts}</div>
        </div>
        <Button look="quiet" className="px-2" aria-label="Close the step" onClick={onClose}>
          ×
        </Button>
      </div>
      {children}
    </aside>
  );
}

interface DrawerProps {
  data: TaskData;
  selected: string;
  onSelect(name: string): void;
  onClose(): void;
}

/** The details of the selected step or batch, next to the views of the task. */
export function Drawer({ data, selected, onSelect, onClose }: DrawerProps) {
  const step = data.steps?.find(({ name }) => name === selected);
  if (step) return <StepDrawer data={data} step={step} onSelect={onSelect} onClose={onClose} />;
  const group = data.shape.byName.get(selected);
  if (!group || (!group.isBatch && group.presence === 'made'))
    return <LoadingDrawer name={selected} error={data.stepsError} onClose={onClose} />;
  if (group.presence !== 'made') return <AbsentDrawer group={group} data={data} onClose={onClose} />;
  return <BatchDrawer group={group} onSelect={onSelect} onClose={onClose} />;
}

/** Reserves the place of the drawer, so that the graph does not move when the steps are loaded. */
function LoadingDrawer({ name, error, onClose }: { name: string; error: Error | null; onClose(): void }) {
  return (
    <DrawerFrame name={name} facts={error ? '' : 'Loading'} onClose={onClose}>
      <div className="min-h-40 p-4">{error && <Problem error={error} />}</div>
    </DrawerFrame>
  );
}

interface StepDrawerProps {
  data: TaskData;
  step: StepResponse;
  onSelect(name: string): void;
  onClose(): void;
}

function StepDrawer({ data, step, onSelect, onClose }: StepDrawerProps) {
  const now = useNow();
  const why = data.why?.steps.find((one) => one.step === step.name)?.why;
  const { error } = step.results ?? {};
  const group = data.shape.byName.get(step.template_step_name);
  const state = step.current_state;
  return (
    <DrawerFrame
      name={step.name}
      onClose={onClose}
      facts={
        <>
          <State state={state} />
          <span className="tabular-nums">{stepTimeText(stepTimesOf(step), now)}</span>
          {state !== 'skipped' && (
            <span>
              attempt {step.attempts} of {step.max_attempts}
            </span>
          )}
        </>
      }
    >
      {state === 'waiting' && step.wait?.kind === 'approval' && <StepApproval step={step} />}
      <ChildTasks task={data.task} step={step.name} />
      <StepActs data={data} step={step} />
      {state === 'waiting_for_retry' && step.next_retry_at && <NextAttempt step={step} at={step.next_retry_at} />}
      {error && <StepProblem error={error} />}
      {why && !error && state !== 'complete' && (
        <div className="border-b border-line px-4 py-3 text-sm break-words">
          <Prose text={why} />
        </div>
      )}
      {step.elements && group && (
        <div className="border-b border-line px-4 py-3">
          <BatchBar group={group} />
        </div>
      )}
      {step.element && <ElementChain data={data} step={step} onSelect={onSelect} />}
      {group && <Conditions of={group.conditions} />}
      <Attempts step={step} />
      <InputAndOutput data={data} step={step} />
      <StepLogs step={step} />
      <dl className="grid grid-cols-[88px_1fr] gap-y-1 border-b border-line px-4 py-3 text-sm">
        <dt className="text-faint">Handler</dt>
        <dd className="font-mono text-xs leading-5 break-all">{step.handler}</dd>
        <dt className="text-faint">Worker</dt>
        <dd className="break-all">{step.worker ?? '–'}</dd>
        {step.element && (
          <>
            <dt className="text-faint">Element</dt>
            <dd className="break-all">{[step.element.number, step.element.key ?? []].flat().join(' · ')}</dd>
          </>
        )}
        {step.template_step_name !== step.name && !step.element && (
          <>
            <dt className="text-faint">Batch</dt>
            <dd className="break-all">{step.template_step_name}</dd>
          </>
        )}
      </dl>
      <CopyAs data={data} step={step} />
    </DrawerFrame>
  );
}

/** All steps of the element that a step runs for. */
function ElementChain({ data, step, onSelect }: Pick<StepDrawerProps, 'data' | 'step' | 'onSelect'>) {
  const list = data.shape.byName.get(step.template_step_name)?.elementOf;
  const { number } = step.element!;
  const chain = (data.steps ?? []).filter(
    (one) => one.element?.number === number && data.shape.byName.get(one.template_step_name)?.elementOf === list,
  );
  return (
    <ul aria-label={`Steps of element ${number}`} className="border-b border-line py-1">
      {chain.map(({ name, current_state: state }) => (
        <li key={name}>
          <button
            type="button"
            aria-current={name === step.name}
            className={`flex h-8 w-full items-center gap-3 px-4 text-left text-sm hover:bg-hover ${name === step.name ? 'font-medium' : ''}`}
            onClick={() => onSelect(name)}
          >
            <State state={state} />
            <span className="truncate">{name}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** When the next attempt of a failed step begins. */
function NextAttempt({ step: { attempts, max_attempts: most }, at }: { step: StepResponse; at: string }) {
  const isDue = timeOf(at) <= useNow();
  return (
    <p className="border-b border-line px-4 py-3 text-sm">
      Attempt {attempts + 1} of {most} begins {isDue ? 'as soon as a worker takes it' : <Time at={at} />}.
    </p>
  );
}

const MOST_LISTED = 200;
/** Workers in these states come first. */
const URGENCY: readonly string[] = [
  'error',
  'waiting_for_retry',
  'in_progress',
  'waiting',
  'enqueued',
  'pending',
] satisfies StepState[];

function BatchDrawer({ group, onSelect, onClose }: { group: Group; onSelect(name: string): void; onClose(): void }) {
  const rank = (state: string | null) => (URGENCY.indexOf(state ?? '') + URGENCY.length + 1) % (URGENCY.length + 1);
  const workers = group.steps.toSorted((one, other) => rank(one.state) - rank(other.state));
  return (
    <DrawerFrame
      name={group.name}
      onClose={onClose}
      facts={`${group.elementOf === null ? 'Batch' : 'Elements'}: ${progressText(progressOf(group))}`}
    >
      <div className="border-b border-line px-4 py-3">
        <BatchBar group={group} />
      </div>
      <ul
        aria-label={group.elementOf === null ? 'Workers of the batch' : `Elements of ${group.elementOf}`}
        className="max-h-[520px] overflow-y-auto py-1"
      >
        {workers.slice(0, MOST_LISTED).map(({ name, state, element, error }) => (
          <li key={name}>
            <button
              type="button"
              className="flex h-8 w-full items-center gap-3 px-4 text-left text-sm hover:bg-hover"
              onClick={() => onSelect(name)}
            >
              <State state={state ?? 'pending'} />
              <span className="shrink-0">{name}</span>
              {element?.key != null && <span className="max-w-1/3 shrink-0 truncate text-faint">{element.key}</span>}
              <span className="truncate text-soft">{error?.message}</span>
            </button>
          </li>
        ))}
      </ul>
      {workers.length > MOST_LISTED && (
        <p className="border-t border-line px-4 py-2 text-xs text-faint">
          {workers.length - MOST_LISTED} more; the Steps view lists all of them.
        </p>
      )}
    </DrawerFrame>
  );
}

function AbsentDrawer({ group, data, onClose }: { group: Group; data: TaskData; onClose(): void }) {
  const { name, presence, handler, conditions } = group;
  return (
    <DrawerFrame name={name} onClose={onClose} facts={presence === 'not_taken' ? 'Not taken' : 'Not created yet'}>
      <p className="border-b border-line px-4 py-3 text-sm">{absenceOf(group, data)}</p>
      <Conditions of={conditions} />
      <p className="px-4 py-3 font-mono text-xs text-soft">{handler}</p>
    </DrawerFrame>
  );
}

/** Returns why a step that runs for each element of a list does not exist, as a sentence. */
function absenceOfElements(list: string, presence: Group['presence'], shape: Shape): string {
  if (presence === 'open') return `This step is created at run time, once for each element of ${list}.`;
  const isEmpty = shape.byName.get(list)?.state === 'complete';
  return `This step was not created: ${isEmpty ? `the list of ${list} has no elements` : `the list of ${list} did not begin`}.`;
}

/** Returns why a step does not exist, as a sentence. */
function absenceOf({ presence, madeBy, elementOf }: Group, { shape }: TaskData): string {
  if (elementOf !== null) return absenceOfElements(elementOf, presence, shape);
  const by = madeBy ?? 'a decision';
  if (presence === 'open') return `This step is created at run time, if ${by} chooses it.`;
  const isSkipped = madeBy !== undefined && shape.byName.get(madeBy)?.state === 'skipped';
  return `This step was not created: ${by} ${isSkipped ? 'was skipped' : 'chose another branch'}.`;
}
