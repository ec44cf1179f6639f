import fc from 'fast-check';

/** A step of a random template with conditions and routes. */
export interface RoutedStep {
  name: string;
  dependencies: string[];
  runIf: 'complete' | 'not_failed' | 'failed' | 'ended';
  /** The value of its condition. Undefined: it has none. */
  when: boolean | undefined;
  fails: boolean;
  /** Whether it takes the first of its dependencies, and what happens to the others. */
  join: 'stop' | 'continue' | undefined;
}

/** Returns the keys of a step in a template, except for its handler and its condition. */
export function routedFields({ dependencies, runIf, join }: RoutedStep): Record<string, unknown> {
  if (join !== undefined) return { dependencies, join: 'any', ...(join === 'continue' && { others: join }) };
  return { dependencies, ...(dependencies.length > 0 && runIf !== 'complete' && { run_if: runIf }) };
}

type State = 'complete' | 'error' | 'skipped' | 'pending' | 'cancelled';

/** The expected end of a task. */
export interface RoutedEnd {
  status: 'complete' | 'blocked_by_failures';
  states: Record<string, State>;
}

const handles = ({ runIf }: RoutedStep) => runIf === 'failed' || runIf === 'ended';

/**
 * Computes the expected end from the rules of the documentation, by repeating them until nothing changes. The program
 * decides each step once, and with counters.
 */
export function predictRoutes(steps: readonly RoutedStep[]): RoutedEnd {
  const states: Record<string, State> = Object.fromEntries(steps.map(({ name }) => [name, 'pending']));
  const isHandled = (name: string) =>
    steps.some(
      (child) =>
        child.dependencies.includes(name) && handles(child) && ['pending', 'complete'].includes(states[child.name]!),
    );
  for (let changed = true; changed; ) {
    changed = false;
    for (const step of steps) {
      if (states[step.name] !== 'pending') continue;
      const parents = step.dependencies.map((name) => ({ name, state: states[name]! }));
      const isBlocked = parents.some(({ name, state }) => state === 'error' && !isHandled(name));
      if (parents.some(({ state }) => state === 'pending') || (isBlocked && !handles(step))) continue;
      states[step.name] = endOf(
        step,
        parents.map(({ state }) => state),
      );
      changed = true;
      break;
    }
  }
  const isOver = (name: string) => states[name] !== 'pending' && (states[name] !== 'error' || isHandled(name));
  return { status: steps.every(({ name }) => isOver(name)) ? 'complete' : 'blocked_by_failures', states };
}

/**
 * Returns what is wrong with the end of a task whose template has joins. Which of its parents a join took depends on time, so
 * each step is only compared with the steps around it.
 */
export function wrongEnds(
  steps: readonly RoutedStep[],
  { status, states }: { status: string; states: Record<string, string> },
) {
  const childrenOf = (name: string) => steps.filter(({ dependencies }) => dependencies.includes(name));
  const isOf = (name: string, ...of: string[]) => of.includes(states[name]!);
  const isWon = ({ join, dependencies }: RoutedStep) =>
    join !== undefined && dependencies.some((parent) => isOf(parent, 'complete'));
  const leadsOnlyTo = (name: string, join: string): boolean => {
    const children = childrenOf(name);
    return children.length > 0 && children.every((child) => child.name === join || leadsOnlyTo(child.name, join));
  };
  const won = steps.filter(isWon);
  const isLoser = (name: string) => won.some((join) => leadsOnlyTo(name, join.name));
  const isStopped = (name: string) => won.some((join) => join.join === 'stop' && leadsOnlyTo(name, join.name));
  const isHandled = (name: string) =>
    isLoser(name) || childrenOf(name).some((child) => handles(child) && isOf(child.name, 'pending', 'complete'));
  const isOpen = (name: string) => isOf(name, 'pending') || (isOf(name, 'error') && !isHandled(name));
  const expected = (step: RoutedStep): readonly string[] => {
    const parents = step.dependencies;
    const given = parents.map((parent) => (isOf(parent, 'cancelled') ? 'skipped' : (states[parent] as State)));
    if (step.join !== undefined) {
      if (isWon(step)) return step.when === false ? ['skipped'] : [step.fails ? 'error' : 'complete'];
      return [parents.some(isOpen) ? 'pending' : 'skipped'];
    }
    const waits = (parent: string) => isOf(parent, 'pending') || (isOpen(parent) && !handles(step));
    if (parents.some(waits)) return ['pending'];
    return [endOf(step, given)];
  };
  const wrong = steps.flatMap((step) => {
    const state = states[step.name]!;
    if (isStopped(step.name) && (state === 'skipped' || state === 'cancelled')) return [];
    const wanted = expected(step);
    return wanted.includes(state) ? [] : [`${step.name} is ${state}, not ${wanted.join(' or ')}`];
  });
  const end = steps.some(({ name }) => isOpen(name)) ? 'blocked_by_failures' : 'complete';
  return status === end ? wrong : [...wrong, `the task is ${status}, not ${end}`];
}

function endOf({ runIf, when, fails, dependencies }: RoutedStep, parents: readonly State[]): State {
  const failed = parents.includes('error');
  const wanted = {
    complete: parents.every((state) => state === 'complete'),
    not_failed: !failed,
    failed,
    ended: true,
  }[dependencies.length === 0 ? 'ended' : runIf];
  if (!wanted || when === false) return 'skipped';
  return fails ? 'error' : 'complete';
}

/** Random templates of up to `most` steps with conditions, failures and routes. */
export function randomRoutes(most: number): fc.Arbitrary<RoutedStep[]> {
  const part = fc.record({
    runIf: fc.constantFrom(...(['complete', 'complete', 'not_failed', 'failed', 'ended'] as const)),
    when: fc.constantFrom(undefined, undefined, undefined, true, false),
    fails: fc.constantFrom(false, false, true),
    back: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
    join: fc.constantFrom(undefined, undefined, undefined, undefined, 'stop' as const, 'continue' as const),
  });
  return fc.array(part, { minLength: 2, maxLength: most, size: 'max' }).map((parts) =>
    parts.map(({ back, join, runIf, ...rest }, i) => {
      const above = [...new Set(back.map((distance) => i - distance))].filter((at) => at >= 0);
      const joins = above.length > 1 ? join : undefined;
      const dependencies = above.map((at) => `s${at}`);
      return { name: `s${i}`, dependencies, join: joins, runIf: joins ? ('complete' as const) : runIf, ...rest };
    }),
  );
}

/**
 * Returns whether the end of a template does not depend on time. If a route is skipped or fails, the failure that it handled
 * blocks again, and the steps that needed the success may or may not have been skipped before.
 */
export function isCertain(steps: readonly RoutedStep[]): boolean {
  const fails = new Set(steps.filter((step) => step.fails).map(({ name }) => name));
  return steps.every(
    (step) =>
      !(handles(step) && step.dependencies.some((name) => fails.has(name)) && (step.fails || step.when === false)),
  );
}
