import fc from 'fast-check';
import {
  hasNoHandler,
  MAY_BE_CALLED_AGAIN,
  type Plan,
  waitOf,
  waitThatEnds,
  waitThatFails,
} from '../reference-model.ts';

type Type = 'standard' | 'decision' | 'batchable' | 'batch_worker' | 'deferred_convergence';
export type FailureStrategy = 'continue_on_failure' | 'fail_fast' | 'isolate';

/** A step of a random template with decisions and batches: its definition, and the plan of its handler. */
export interface DynamicStep {
  name: string;
  type: Type;
  dependencies: string[];
  plan: Plan;
  maxAttempts: number;
  retryable: boolean;
  /** For a decision: the branches that it names; none means no_branches. For an analyzer: its worker template, if it has one. */
  names: string[];
  /** For an analyzer: the plan of each of its workers; none means no_batches. */
  parts: Plan[];
  /** For a decision or an analyzer: the mistake in its outcome. */
  wrong: string | undefined;
  parallelism: number;
  strategy: FailureStrategy;
}

const WRONG = ['no outcome', 'unknown type', 'nothing named', 'unknown name', 'upstream name', 'one id twice'];

/** The name of the step at `index` in the topological order. */
const nameOf = (index: number) => `s${index}`;

const fails = fc.constantFrom<Plan>({ kind: 'fail_always' }, { kind: 'fail_permanently' });
const passes = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Plan>({ kind: 'succeed' }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 }).map((times): Plan => ({ kind: 'fail_first', times })) },
);
/** Most plans succeed eventually, because nothing runs below a step that fails permanently. */
const plan = fc.oneof({ weight: 30, arbitrary: passes }, { weight: 1, arbitrary: fails });
const workerPlan = fc.oneof({ weight: 8, arbitrary: passes }, { weight: 1, arbitrary: fails });
/** A plan to wait, which replaces the step's other plan if a step of its type can wait in this way. */
const wait = fc.oneof(
  { weight: 20, arbitrary: fc.constant(undefined) },
  { weight: 6, arbitrary: waitThatEnds },
  { weight: 1, arbitrary: waitThatFails },
);
/** As `wait`, for the few steps that decisions create. */
const waitBelow = fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: waitThatEnds });

const stepParts = fc.record({
  type: fc.oneof(
    { weight: 8, arbitrary: fc.constant<Type>('standard') },
    { weight: 5, arbitrary: fc.constant<Type>('decision') },
    { weight: 3, arbitrary: fc.constant<Type>('batchable') },
    { weight: 6, arbitrary: fc.constant<Type>('batch_worker') },
    { weight: 4, arbitrary: fc.constant<Type>('deferred_convergence') },
  ),
  plan,
  wait,
  waitBelow,
  maxAttempts: fc.integer({ min: 3, max: 4 }),
  retryable: fc.oneof({ weight: 30, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  // Distances back to its parents, so that a template is acyclic by construction and stays valid when it is shrunk.
  back: fc.array(fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 24 })), {
    minLength: 1,
    maxLength: 3,
  }),
  picks: fc.array(fc.nat(30), { maxLength: 5 }),
  parts: fc.array(
    fc.tuple(workerPlan, wait).map(([plan, wait]) => withWait('batch_worker', plan, wait)),
    { maxLength: 8 },
  ),
  wrong: fc.oneof(
    { weight: 30, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(...WRONG) },
  ),
  parallelism: fc.integer({ min: 1, max: 4 }),
  strategy: fc.constantFrom<FailureStrategy>('continue_on_failure', 'fail_fast', 'isolate'),
});

/** Returns the plan to wait if a step of this type can have it, otherwise the other plan. Only a standard step can have no handler. */
function withWait(type: Type, plan: Plan, wait: Plan | undefined): Plan {
  return wait === undefined || (type !== 'standard' && hasNoHandler(wait)) ? plan : wait;
}

/**
 * Random templates of up to `maxSteps` steps: decisions below decisions, batches below branches, joins of all, and waits
 * among them.
 */
export function randomDynamicSteps(maxSteps: number): fc.Arbitrary<DynamicStep[]> {
  // Without fast-check's preference for small values, which would mostly create two steps out of ten.
  return fc.noBias(fc.array(stepParts, { minLength: 2, maxLength: maxSteps, size: 'max' })).map((parts) => {
    const steps: DynamicStep[] = [];
    for (const [index, { back, picks: _, wait: __, waitBelow: ___, ...rest }] of parts.entries()) {
      const parents = [...new Set(back.map((distance) => index - distance))].filter((at) => at >= 0);
      steps.push({ name: nameOf(index), names: [], ...rest, ...placed(steps, rest.type, parents) });
    }
    // An analyzer without a worker template always fails.
    for (const step of steps) if (step.type === 'batchable' && !hasWorker(steps, step)) step.type = 'standard';
    const decisions = new Set(steps.filter(({ type }) => type === 'decision').map(({ name }) => name));
    for (const [index, step] of steps.entries()) {
      const { wait, waitBelow } = parts[index]!;
      const isBelow = step.dependencies.some((parent) => decisions.has(parent));
      // A token rejects a wrong outcome, and its step would wait for a correct one.
      if (step.wrong === undefined)
        step.plan = withWait(step.type, step.plan, wait ?? (isBelow ? waitBelow : undefined));
    }
    for (const [index, step] of steps.entries()) step.names = named(steps, step, parts[index]!.picks);
    return steps;
  });
}

const hasWorker = (steps: readonly DynamicStep[], { name }: DynamicStep) =>
  steps.some(({ type, dependencies }) => type === 'batch_worker' && dependencies.includes(name));

/** Changes the type of steps that would make the template invalid. */
function placed(before: readonly DynamicStep[], type: Type, parents: readonly number[]) {
  const others = parents.filter((at) => before[at]!.type !== 'batchable' && before[at]!.type !== 'batch_worker');
  const analyzer = before.findLast((step) => step.type === 'batchable');
  const dependencies = parents.map(nameOf);
  if (type === 'batch_worker') {
    return analyzer
      ? { type, dependencies: [analyzer.name, ...others.slice(0, 1).map(nameOf)] }
      : { type: 'batchable' as const, dependencies };
  }
  return type === 'decision' && parents.length === 0
    ? { type: 'standard' as const, dependencies }
    : { type, dependencies };
}

function named(steps: readonly DynamicStep[], step: DynamicStep, picks: readonly number[]): string[] {
  const possible =
    step.type === 'decision'
      ? branches(steps, step.name)
      : steps
          .filter(({ type, dependencies }) => type === 'batch_worker' && dependencies.includes(step.name))
          .map(({ name }) => name);
  const chosen = possible.length === 0 ? [] : picks.map((pick) => possible[pick % possible.length]!);
  if (step.type === 'batchable') return [chosen[0] ?? possible[0]].filter((name) => name !== undefined);
  return step.type === 'decision' ? [...new Set(chosen)] : [];
}

/** Returns the steps that a decision may name: those below it, up to the next decision, batch or convergence. */
function branches(steps: readonly DynamicStep[], decision: string): string[] {
  const reached = new Set([decision]);
  const types = new Map(steps.map(({ name, type }) => [name, type]));
  for (const { name, type, dependencies } of steps) {
    if (type === 'batch_worker' || type === 'deferred_convergence') continue;
    const from = dependencies.filter((parent) => reached.has(parent));
    if (from.some((parent) => parent === decision || types.get(parent) !== 'decision')) reached.add(name);
  }
  return [...reached].filter((name) => name !== decision);
}

/** Returns the result of the handler of a decision or an analyzer. */
export function outcomeOf({ type, names, parts, wrong, dependencies }: DynamicStep): Record<string, unknown> {
  if (wrong === 'no outcome') return {};
  if (type === 'decision') {
    if (wrong === 'nothing named') return { decision_point_outcome: { type: 'create_steps', step_names: [] } };
    const bad = { 'unknown name': ['nobody'], 'upstream name': dependencies.slice(0, 1) }[wrong ?? ''];
    if (wrong !== undefined && !bad) return { decision_point_outcome: { type: 'some_steps' } };
    if (bad) return { decision_point_outcome: { type: 'create_steps', step_names: [...names, ...bad] } };
    if (names.length === 0) return { decision_point_outcome: { type: 'no_branches' } };
    return { decision_point_outcome: { type: 'create_steps', step_names: names } };
  }
  const worker = { worker_template_name: wrong === 'unknown name' || wrong === 'upstream name' ? 'nobody' : names[0] };
  const configs = parts.map((_, i) => ({ batch_id: batchId(i), start_cursor: i, end_cursor: i + 1 }));
  if (wrong === 'nothing named') configs.length = 0;
  else if (wrong === 'one id twice')
    configs.push({ ...configs[0]!, batch_id: '001' }, { ...configs[0]!, batch_id: '001' });
  else if (wrong === 'unknown type') return { batch_processing_outcome: { type: 'some_batches', ...worker } };
  else if (parts.length === 0) return { batch_processing_outcome: { type: 'no_batches', ...worker } };
  return { batch_processing_outcome: { type: 'create_batches', ...worker, cursor_configs: configs } };
}

const batchId = (i: number) => String(i + 1).padStart(3, '0');

/** Returns the workers of a batch by name, with their plans. A batch without parts has one worker with nothing to do. */
export function workersOf(analyzer: DynamicStep, worker: DynamicStep): { name: string; plan: Plan }[] {
  if (analyzer.parts.length === 0) return [{ name: `${worker.name}_000`, plan: worker.plan }];
  return analyzer.parts.map((plan, i) => ({ name: `${worker.name}_${batchId(i)}`, plan }));
}

/** The `initialization` of a step, for its handler. */
export interface DynamicConfig {
  step: string;
  plan: Plan;
  /** The result to return. */
  result: Record<string, unknown>;
  /** For a batch_worker: the plan of each of its workers. */
  plans: Record<string, Plan>;
}

/** Returns the steps in the short form of the test kit, all with the handler `act`. */
export function dynamicTemplateSteps(
  steps: readonly DynamicStep[],
): Parameters<typeof import('../setup.ts').template>[0] {
  return Object.fromEntries(
    steps.map((step) => {
      const { name, type, dependencies, plan, maxAttempts, retryable, parallelism, strategy } = step;
      const analyzer = steps.find((other) => other.type === 'batchable' && dependencies.includes(other.name));
      const isWorker = type === 'batch_worker';
      const plans = isWorker
        ? Object.fromEntries(workersOf(analyzer!, step).map((worker) => [worker.name, worker.plan]))
        : {};
      const result = type === 'decision' || type === 'batchable' ? outcomeOf(step) : {};
      const initialization: DynamicConfig = { step: name, plan, result: { by: name, ...result }, plans };
      const polls = [plan, ...Object.values(plans)].some(({ kind }) => kind === 'poll');
      const batch = {
        batch_size: 1,
        parallelism,
        cursor_field: 'id',
        worker_template: name,
        failure_strategy: strategy,
      };
      return [
        name,
        {
          type,
          dependencies,
          handler: { callable: 'act', initialization },
          retry: { max_attempts: maxAttempts, retryable, backoff: 'none' },
          ...(isWorker && { batch_config: batch }),
          ...(polls && { wait: MAY_BE_CALLED_AGAIN }),
          ...waitOf(step),
        },
      ];
    }),
  );
}

/** Describes a step in one line. */
export function describeStep(step: DynamicStep): string {
  const { name, type, dependencies, plan, maxAttempts, retryable, names, parts, wrong, parallelism, strategy } = step;
  const planOf = (plan: Plan) => (plan.kind === 'fail_first' ? `fail ${plan.times}x` : plan.kind);
  const more = {
    standard: '',
    deferred_convergence: '',
    decision: `names [${names}]`,
    batchable: `for ${names} [${parts.map(planOf)}]`,
    batch_worker: `${parallelism} at the same time, ${strategy}`,
  }[type];
  const how = `${planOf(plan)} of ${retryable ? maxAttempts : 1}`;
  return `${name} ${type} [${dependencies}] ${how} ${more} ${wrong ?? ''}`.trim();
}

/** Returns every slightly smaller version of a template, the smallest last. */
export function smallerThan(steps: readonly DynamicStep[]): DynamicStep[][] {
  const simpler = steps.flatMap((step, i) => {
    const { plan, parts, dependencies, names } = step;
    const changes: Partial<DynamicStep>[] = [
      ...(plan.kind === 'succeed' ? [] : [{ plan: { kind: 'succeed' as const } }]),
      ...(parts.length > 1 ? [{ parts: parts.slice(1) }, { parts: parts.slice(0, -1) }] : []),
      ...dependencies.map((parent) => ({ dependencies: dependencies.filter((other) => other !== parent) })),
      ...names.map((name) => ({ names: names.filter((other) => other !== name) })),
    ];
    return changes.map((change) => steps.map((other, j) => (i === j ? { ...step, ...change } : other)));
  });
  return [...simpler, ...steps.map(({ name }) => without(steps, name))].filter(isTemplate);
}

function without(steps: readonly DynamicStep[], gone: string): DynamicStep[] {
  const rest = (names: readonly string[]) => names.filter((name) => name !== gone);
  return steps
    .filter(({ name }) => name !== gone)
    .map((step) => ({ ...step, dependencies: rest(step.dependencies), names: rest(step.names) }));
}

function isTemplate(steps: readonly DynamicStep[]): boolean {
  const types = new Map(steps.map(({ name, type }) => [name, type]));
  return steps.every((step) => {
    if (step.type === 'decision') {
      const possible = branches(steps, step.name);
      return step.dependencies.length > 0 && step.names.every((name) => possible.includes(name));
    }
    if (step.type === 'batchable') {
      const worker = steps.find(({ name }) => name === step.names[0]);
      return worker?.dependencies.includes(step.name);
    }
    return step.type !== 'batch_worker' || step.dependencies.some((parent) => types.get(parent) === 'batchable');
  });
}
