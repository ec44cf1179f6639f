import fc from 'fast-check';

/** The behaviour of a step's handler in its attempts. */
export type Plan =
  | { kind: 'succeed' }
  | { kind: 'fail_first'; times: number }
  | { kind: 'fail_always' }
  | { kind: 'fail_permanently' };

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
  }
}

/** Returns the names of all ancestors of each step. */
export function ancestorsOf(steps: readonly PlannedStep[]): Map<string, Set<string>> {
  const all = new Map<string, Set<string>>();
  for (const { name, dependencies } of steps) {
    all.set(name, new Set(dependencies.flatMap((parent) => [parent, ...all.get(parent)!])));
  }
  return all;
}

/** Returns whether an attempt of a step fails, and how. */
export function failureOf(plan: Plan, retryCount: number): 'retryable' | 'permanent' | undefined {
  switch (plan.kind) {
    case 'succeed':
      return undefined;
    case 'fail_first':
      return retryCount < plan.times ? 'retryable' : undefined;
    case 'fail_always':
      return 'retryable';
    case 'fail_permanently':
      return 'permanent';
  }
}

const plan: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Plan>({ kind: 'succeed' }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 4 }).map((times): Plan => ({ kind: 'fail_first', times })) },
  { weight: 1, arbitrary: fc.constant<Plan>({ kind: 'fail_always' }) },
  { weight: 1, arbitrary: fc.constant<Plan>({ kind: 'fail_permanently' }) },
);

const stepParts = fc.record({
  plan,
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  retryable: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  // Distances back to its parents, so that a graph is acyclic by construction and stays valid when it is shrunk.
  back: fc.array(fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 60 })), { maxLength: 4 }),
});

/** Random acyclic graphs of up to `maxSteps` steps: chains, diamonds, fans and islands. */
export function randomSteps(maxSteps: number): fc.Arbitrary<PlannedStep[]> {
  return fc.array(stepParts, { minLength: 1, maxLength: maxSteps, size: 'max' }).map((parts) =>
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
    steps.map(({ name, dependencies, plan, maxAttempts, retryable }) => [
      name,
      {
        dependencies,
        handler: { callable: 'act', initialization: { step: name, plan } },
        retry: { max_attempts: maxAttempts, retryable, backoff: 'none' },
      },
    ]),
  );
}
