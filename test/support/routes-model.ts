import fc from 'fast-check';

/** A step of a random template with conditions and routes. */
export interface RoutedStep {
  name: string;
  dependencies: string[];
  runIf: 'complete' | 'not_failed' | 'failed' | 'ended';
  /** The value of its condition. Undefined: it has none. */
  when: boolean | undefined;
  fails: boolean;
}

type State = 'complete' | 'error' | 'skipped' | 'pending';

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
  });
  return fc.array(part, { minLength: 2, maxLength: most, size: 'max' }).map((parts) =>
    parts.map(({ back, ...rest }, i) => ({
      name: `s${i}`,
      dependencies: [...new Set(back.map((distance) => i - distance))].filter((at) => at >= 0).map((at) => `s${at}`),
      ...rest,
    })),
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
