import { TaskerError } from '../../errors.ts';
import { nearNames } from '../../model/near-names.ts';
import { describeViolations, type SchemaViolation } from '../../model/schema-violations.ts';
import { payloadSchema, signalNames } from '../../model/signal-names.ts';
import type { SignalTaskRow, SignalWaitRow } from '../../store/signals/signals.ts';
import { compileStored } from '../../template/json-schema-check.ts';
import type { SignalConfig } from '../../template/task-template.ts';
import { nameOf, type Snapshot } from '../template-store.ts';
import { waitOver } from './late.ts';

/** Limits on a task's signals that no step has used. */
export const SIGNAL_LIMITS = { payloadBytes: 1_048_576, kept: 1_000, keptBytes: 16 * 1_048_576 } as const;

/** A signal, as the rules need it. */
export interface JudgedSignal {
  name: string;
  /** The payload as plain JSON. */
  value: unknown;
  bytes: number;
}

/** A template step that waits for signals with a given name. */
export interface SignalStep {
  idx: number;
  name: string;
  config: SignalConfig;
}

/** Returns the steps of a template that wait for signals of a name. */
export function signalSteps({ template }: Snapshot, name: string): SignalStep[] {
  return template.steps.flatMap((step, idx) =>
    step.signal && signalNames(step.signal).includes(name) ? [{ idx, name: step.name, config: step.signal }] : [],
  );
}

/** Returns the indexes of the steps whose states decide whether a signal can be used. */
export function statesNeeded({ graph }: Snapshot, steps: readonly SignalStep[]): number[] {
  return [...new Set(steps.flatMap(({ idx }) => [idx, ...(graph.initial[idx] ? [] : graph.makers[idx]!)]))];
}

/** The outcome of a signal: a waiting step takes it, or it is kept. */
export type Verdict = { kind: 'taken'; wait: SignalWaitRow } | { kind: 'kept' };

/** A rejection, and whether another task may still use the signal. */
export class Refusal extends Error {
  readonly error: TaskerError;
  /** Whether the only reason is that this task has no step for the signal. Then a signal for many tasks skips it. */
  readonly noStep: boolean;

  constructor(error: TaskerError, noStep: boolean) {
    super(error.message);
    this.error = error;
    this.noStep = noStep;
  }
}

const OVER: ReadonlySet<string> = new Set(['complete', 'resolved_manually', 'cancelled', 'skipped']);

/**
 * Decides what happens to a signal at a locked task: the step that has waited longest takes it. If no step waits yet,
 * it is kept for a step that may.
 * @throws Refusal
 */
export function judge(task: SignalTaskRow, snapshot: Snapshot, signal: JudgedSignal): Verdict {
  const steps = signalSteps(snapshot, signal.name);
  if (steps.length === 0) throw new Refusal(noSuchStep(task, snapshot, signal.name), true);
  const open = task.doneAt === null ? steps.filter((step) => mayUse(step, task, snapshot)) : [];
  if (open.length === 0) {
    const keeps = task.verdict !== 'cancelled' && steps.some(({ config }) => config.onUnknown === 'keep');
    if (!keeps) throw new Refusal(tooLate(task, steps, signal.name), true);
  }
  const fitting = fittingSteps(open.length > 0 ? open : steps, task, signal);
  const wait = task.waits.find((one) => isOpen(one) && fitting.some(({ idx }) => idx === one.idx));
  if (wait) return { kind: 'taken', wait };
  checkRoom(task, signal);
  return { kind: 'kept' };
}

const isOpen = ({ endedAt, late }: SignalWaitRow) => endedAt === null && !late;

/**
 * Returns whether a step waits for a signal or may do so later. A decision that has not run yet may create such a step.
 */
function mayUse({ idx }: SignalStep, { states, waits }: SignalTaskRow, { graph }: Snapshot): boolean {
  const state = states[idx];
  if (state === undefined) {
    return [...graph.makers[idx]!].some((maker) => states[maker] !== undefined && !OVER.has(states[maker]));
  }
  if (state === 'waiting') return waits.some((wait) => wait.idx === idx && isOpen(wait));
  return state !== 'error' && !OVER.has(state);
}

function fittingSteps(steps: readonly SignalStep[], { taskUuid }: SignalTaskRow, signal: JudgedSignal): SignalStep[] {
  let first: readonly SchemaViolation[] | undefined;
  const fitting = steps.filter(({ config }) => {
    const schema = payloadSchema(config, signal.name);
    const violations = schema === null ? [] : compileStored(schema)(signal.value);
    if (violations.length > 0) first ??= violations;
    return violations.length === 0;
  });
  if (fitting.length > 0) return fitting;
  throw new Refusal(violatesSchema(taskUuid, steps[0]!.name, { name: signal.name, violations: first! }), false);
}

function violatesSchema(
  taskUuid: string,
  step: string,
  { name, violations }: { name: string; violations: readonly SchemaViolation[] },
): TaskerError {
  return new TaskerError(
    'signal_refused',
    `the payload of signal ${name} does not match the schema of step ${step} of task ${taskUuid}: ${describeViolations(violations)}`,
    { details: { task_uuid: taskUuid, step, violations } },
  );
}

/** Checks a payload without reading the task, for a sender whose transaction is not visible to the engine. */
export function checkPayload(taskUuid: string, snapshot: Snapshot, signal: JudgedSignal): void {
  const steps = signalSteps(snapshot, signal.name);
  const task = { taskUuid } as SignalTaskRow;
  if (steps.length === 0) throw new Refusal(noSuchStep(task, snapshot, signal.name), true);
  fittingSteps(steps, task, signal);
}

function noSuchStep({ taskUuid }: Pick<SignalTaskRow, 'taskUuid'>, { template }: Snapshot, name: string): TaskerError {
  const names = [...new Set(template.steps.flatMap(({ signal }) => (signal ? signalNames(signal) : [])))];
  const near = nearNames(name, names, 1)[0];
  const known = names.length === 0 ? 'none of its steps waits for a signal' : `it waits for ${names.join(', ')}`;
  return new TaskerError(
    'signal_refused',
    `no step of task ${taskUuid} (${nameOf(template)}) waits for signal ${name}; ${near === undefined ? known : `did you mean ${near}?`}`,
    { details: { task_uuid: taskUuid, signals: names } },
  );
}

/** Returns the error for a signal that no step of the task can use any longer. */
function tooLate(task: SignalTaskRow, steps: readonly SignalStep[], name: string): TaskerError {
  const { taskUuid, verdict, doneAt, waits } = task;
  const nameAt = (idx: number) => steps.find((step) => step.idx === idx)!.name;
  const last = waits.filter(({ idx }) => steps.some((step) => step.idx === idx)).at(-1);
  if (last && (last.late || (last.endedAt !== null && last.endedBy !== 'signal')))
    return waitOver({ ...last, taskUuid, step: nameAt(last.idx) });
  if (verdict === 'cancelled')
    return new TaskerError(
      'wait_over',
      `task ${taskUuid} was cancelled at ${doneAt}, so it cannot receive signal ${name}`,
      {
        details: { task_uuid: taskUuid, ended_by: 'cancel', ended_at: doneAt },
      },
    );
  const why = last
    ? `step ${nameAt(last.idx)} received it at ${last.endedAt}`
    : doneAt !== null
      ? `the task ended at ${doneAt}`
      : `step ${steps[0]!.name} has ended, or will not be created`;
  return new TaskerError('signal_refused', `no step of task ${taskUuid} waits for signal ${name} any more: ${why}`, {
    details: { task_uuid: taskUuid },
  });
}

function checkRoom({ taskUuid, kept, keptBytes }: SignalTaskRow, { bytes }: JudgedSignal): void {
  const most = SIGNAL_LIMITS;
  if (kept < most.kept && keptBytes + bytes <= most.keptBytes) return;
  const what = kept < most.kept ? `more than ${most.keptBytes} bytes` : `${most.kept} signals`;
  throw new Refusal(
    new TaskerError(
      'signal_refused',
      `task ${taskUuid} cannot keep more signals: it has ${what} that no step has used; see \`tasker signal list ${taskUuid} --kept\``,
      { details: { task_uuid: taskUuid, kept } },
    ),
    false,
  );
}
