import fc from 'fast-check';
import { completeLater, notYet } from '../../src/handlers/later.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';

/** The behaviour of a step's handler in its attempts. */
export type Plan =
  | { kind: 'succeed' }
  | { kind: 'fail_first'; times: number }
  | { kind: 'fail_always' }
  | { kind: 'fail_permanently' }
  /** Its handler returns `notYet` that many times, and then succeeds. */
  | { kind: 'poll'; times: number }
  /** Its handler returns `completeLater`, and its token is used soon, or never. */
  | { kind: 'call_back' }
  | { kind: 'no_call_back' }
  /** Steps without a handler. The signal of the first is sent early, that of the others never. */
  | { kind: 'timer' }
  | { kind: 'signal' }
  | { kind: 'signal_default' }
  | { kind: 'signal_late' };

/** All kinds of plans. */
export const PLANS: readonly Plan['kind'][] = [
  'succeed',
  'fail_first',
  'fail_always',
  'fail_permanently',
  'poll',
  'call_back',
  'no_call_back',
  'timer',
  'signal',
  'signal_default',
  'signal_late',
];

/** A step of a random graph: its template, and the behaviour of its handler. */
export interface PlannedStep {
  name: string;
  dependencies: string[];
  plan: Plan;
  maxAttempts: number;
  /** The template's `retry.retryable`. */
  retryable: boolean;
}

/** The expected end of a step. */
export interface StepEnd {
  state: 'complete' | 'error' | 'pending';
  attempts: number;
}

/** The expected end of a task. */
export interface TaskEnd {
  status: 'complete' | 'blocked_by_failures';
  steps: Record<string, StepEnd>;
}

/** Computes the expected end of a task from its steps in topological order, without a queue, workers or a database. */
export function predict(steps: readonly PlannedStep[]): TaskEnd {
  const ends: Record<string, StepEnd> = {};
  for (const step of steps) {
    const ready = step.dependencies.every((parent) => ends[parent]!.state === 'complete');
    ends[step.name] = ready ? endOf(step) : { state: 'pending', attempts: 0 };
  }
  const complete = Object.values(ends).every(({ state }) => state === 'complete');
  return { status: complete ? 'complete' : 'blocked_by_failures', steps: ends };
}

/** The expected end of a step that can run. */
export function endOf({
  plan,
  maxAttempts,
  retryable,
}: Pick<PlannedStep, 'plan' | 'maxAttempts' | 'retryable'>): StepEnd {
  const allowed = retryable ? maxAttempts : 1;
  switch (plan.kind) {
    case 'succeed':
      return { state: 'complete', attempts: 1 };
    case 'fail_first':
      return plan.times < allowed
        ? { state: 'complete', attempts: plan.times + 1 }
        : { state: 'error', attempts: allowed };
    case 'fail_always':
      return { state: 'error', attempts: allowed };
    case 'fail_permanently':
      return { state: 'error', attempts: 1 };
    case 'no_call_back':
      return { state: 'error', attempts: allowed };
    case 'signal_late':
      return { state: 'error', attempts: 1 };
    case 'poll':
    case 'call_back':
    case 'timer':
    case 'signal':
    case 'signal_default':
      return { state: 'complete', attempts: 1 };
  }
}

/** Returns the names of all ancestors of each step. */
export function ancestorsOf(steps: readonly Pick<PlannedStep, 'name' | 'dependencies'>[]): Map<string, Set<string>> {
  const all = new Map<string, Set<string>>();
  for (const { name, dependencies } of steps) {
    all.set(name, new Set(dependencies.flatMap((parent) => [parent, ...all.get(parent)!])));
  }
  return all;
}

/** Returns whether an attempt of a step fails, and how. */
export function failureOf(plan: Plan, retryCount: number): 'retryable' | 'permanent' | undefined {
  if (plan.kind === 'fail_first') return retryCount < plan.times ? 'retryable' : undefined;
  if (plan.kind === 'fail_always') return 'retryable';
  return plan.kind === 'fail_permanently' ? 'permanent' : undefined;
}

/** Whether a step with this plan waits without a handler. */
export const hasNoHandler = ({ kind }: Plan): boolean => kind === 'timer' || kind.startsWith('signal');

/** The name of the signal for which a step waits. */
export const signalFor = (step: string): string => `for_${step}`;

const plan: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Plan>({ kind: 'succeed' }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 4 }).map((times): Plan => ({ kind: 'fail_first', times })) },
  { weight: 1, arbitrary: fc.constant<Plan>({ kind: 'fail_always' }) },
  { weight: 1, arbitrary: fc.constant<Plan>({ kind: 'fail_permanently' }) },
);

/** Plans of steps that wait, and then complete. */
export const waitThatEnds: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Plan>({ kind: 'timer' }) },
  { weight: 2, arbitrary: fc.constant<Plan>({ kind: 'signal' }) },
  { weight: 2, arbitrary: fc.constantFrom<Plan>({ kind: 'signal_default' }, { kind: 'call_back' }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }).map((times): Plan => ({ kind: 'poll', times })) },
);
/** Plans of steps that wait, and then fail. */
export const waitThatFails = fc.constantFrom<Plan>({ kind: 'signal_late' }, { kind: 'no_call_back' });

const planWithWaits = fc.oneof(
  { weight: 24, arbitrary: plan },
  { weight: 7, arbitrary: waitThatEnds },
  { weight: 2, arbitrary: waitThatFails },
);

const stepParts = (plan: fc.Arbitrary<Plan>) =>
  fc.record({
    plan,
    maxAttempts: fc.integer({ min: 1, max: 4 }),
    retryable: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    // Distances back to its parents, so that a graph is acyclic by construction and stays valid when it is shrunk.
    back: fc.array(fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 60 })), { maxLength: 4 }),
  });

/** Random acyclic graphs of up to `maxSteps` steps: chains, diamonds, fans and islands, with waits on request. */
export function randomSteps(maxSteps: number, { waits = false } = {}): fc.Arbitrary<PlannedStep[]> {
  return fc
    .array(stepParts(waits ? planWithWaits : plan), { minLength: 1, maxLength: maxSteps, size: 'max' })
    .map((parts) =>
      parts.map(({ back, ...rest }, i) => ({
        name: `s${i}`,
        dependencies: [...new Set(back.map((distance) => i - distance))].filter((at) => at >= 0).map((at) => `s${at}`),
        ...rest,
      })),
    );
}

/** The steps in the short form of the test kit. The configuration of each contains the plan for its handler. */
export function templateStepsOf(steps: readonly PlannedStep[]): Parameters<typeof import('./setup.ts').template>[0] {
  return Object.fromEntries(
    steps.map((step) => [step.name, { dependencies: step.dependencies, ...(waitOf(step) ?? handled(step)) }]),
  );
}

function handled({ name, plan, maxAttempts, retryable }: PlannedStep) {
  return {
    handler: { callable: 'act', initialization: { step: name, plan } },
    retry: { max_attempts: maxAttempts, retryable, backoff: 'none' },
    ...(plan.kind === 'poll' && { wait: MAY_BE_CALLED_AGAIN }),
  };
}

/** The `wait` of a step that polls: a step that must not be retried may be called again only with this permission. */
export const MAY_BE_CALLED_AGAIN = { repeatable: true };

/** The type and the settings of a step that waits without a handler. Undefined for other steps. */
export function waitOf({ name, plan }: Pick<PlannedStep, 'name' | 'plan'>) {
  if (!hasNoHandler(plan)) return undefined;
  if (plan.kind === 'timer') return { type: 'timer', handler: undefined, timer: { for: '0.02s' } };
  const late = plan.kind === 'signal_default' ? { on_timeout: 'complete', default: { by: name } } : {};
  const timeout = plan.kind === 'signal' ? '1h' : '0.1s';
  return { type: 'signal', handler: undefined, signal: { name: signalFor(name), timeout, ...late } };
}

/**
 * Returns the result of a handler with this plan if it ends the call but not the step, otherwise undefined. `use` completes
 * the step with the token.
 */
export async function laterOf(
  plan: Plan,
  context: StepContext,
  use: (token: string) => void,
): Promise<ReturnType<typeof completeLater> | undefined> {
  if (plan.kind === 'poll') {
    const calls = Number(context.checkpointCursor ?? 0);
    return calls < plan.times ? notYet({ retryInMs: 10, checkpoint: calls + 1 }) : undefined;
  }
  if (plan.kind === 'no_call_back') return completeLater({ timeoutMs: 50 });
  if (plan.kind !== 'call_back') return undefined;
  use(await context.completionToken());
  return completeLater({ timeoutMs: 600_000 });
}
