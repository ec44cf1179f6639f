import { endOf, type StepEnd } from '../reference-model.ts';
import { type DynamicStep, workersOf } from './dynamic-templates.ts';

/** The expected end of a task of a template with decisions and batches. */
export interface DynamicEnd {
  status: 'complete' | 'blocked_by_failures';
  /** The expected states of all steps that are created; batch workers have their own names. */
  steps: Record<string, StepEnd>;
  /**
   * Workers of a `fail_fast` batch in which one worker fails permanently. Whether the other workers run is
   * undetermined.
   */
  chance: Set<string>;
  /** The steps whose results a step may see. */
  visible: Map<string, Set<string>>;
  /** The steps that must end before a step runs. */
  before: Map<string, Set<string>>;
}

/**
 * Computes the expected end of a task from the rules of step types in docs/guide/templates.md, one step after the other,
 * parents first, without a queue, workers or a database. The existence and the end of a step never depend on timing.
 */
export function predictDynamic(steps: readonly DynamicStep[]): DynamicEnd {
  const model = new Model(steps);
  for (const step of steps) model.decide(step);
  return model.end();
}

class Model {
  readonly #all: Map<string, DynamicStep>;
  readonly #above = new Map<string, Set<string>>();
  /** Steps below a decision without a convergence, a batch or another decision in between. */
  readonly #inBranch = new Set<string>();
  /** Steps that exist from the creation of a task. */
  readonly #initial = new Set<string>();
  readonly #exists = new Set<string>();
  /** Steps that a completed decision named, or that a completed analyzer created. */
  readonly #named = new Set<string>();
  /** Steps that others no longer wait for, by their names in the template. */
  readonly #over = new Set<string>();
  readonly #members = new Map<string, { all: string[]; seen: string[] }>();
  readonly #tolerated = new Set<string>();
  readonly #end: DynamicEnd = {
    status: 'complete',
    steps: {},
    chance: new Set(),
    visible: new Map(),
    before: new Map(),
  };

  constructor(steps: readonly DynamicStep[]) {
    this.#all = new Map(steps.map((step) => [step.name, step]));
    for (const { name, type, dependencies } of steps) {
      this.#above.set(name, new Set(dependencies.flatMap((parent) => [...this.#above.get(parent)!, parent])));
      const isCreatedLater = dependencies.some(
        (parent) => !this.#initial.has(parent) || this.#typeOf(parent) === 'decision',
      );
      if (type !== 'batch_worker' && !isCreatedLater) this.#initial.add(name);
      if (type === 'batch_worker' || type === 'deferred_convergence') continue;
      if (dependencies.some((parent) => this.#typeOf(parent) === 'decision' || this.#inBranch.has(parent)))
        this.#inBranch.add(name);
    }
  }

  #typeOf(name: string) {
    return this.#all.get(name)!.type;
  }

  decide(step: DynamicStep): void {
    if (!this.#isCreated(step)) return;
    this.#exists.add(step.name);
    const waitsFor = this.#waitsFor(step);
    const ready = waitsFor.every((other) => this.#over.has(other));
    for (const member of step.type === 'batch_worker' ? this.#membersOf(step) : [step.name]) {
      this.#end.before.set(member, this.#asWorkers(waitsFor));
      this.#end.visible.set(member, this.#asWorkers([...this.#comesAfter(step)], 'seen'));
    }
    if (step.type === 'batch_worker') this.#runBatch(step, ready);
    else this.#run(step, ready);
  }

  #isCreated({ name, type, dependencies }: DynamicStep): boolean {
    if (this.#initial.has(name) || this.#named.has(name)) return true;
    if (type === 'batch_worker') return false;
    const there = dependencies.filter((parent) => this.#exists.has(parent));
    // A step that joins a batch is created with it.
    if (there.some((parent) => this.#typeOf(parent) === 'batch_worker')) return true;
    const made = there.filter((parent) => !this.#initial.has(parent));
    if (type === 'deferred_convergence') return made.length > 0;
    const follows = made.filter((parent) => this.#typeOf(parent) !== 'decision');
    // A branch of an unrelated decision is created only if that decision names it.
    const decisions = dependencies.filter((parent) => this.#typeOf(parent) === 'decision');
    if (!decisions.every((decision) => follows.some((parent) => this.#above.get(parent)!.has(decision)))) return false;
    if (follows.some((parent) => this.#inBranch.has(parent))) return true;
    return follows.length > 0 && there.length === dependencies.length;
  }

  /**
   * The existing dependencies of a step, and each decision and analyzer above the step that may still create others.
   */
  #waitsFor({ name, dependencies }: DynamicStep): string[] {
    const makers = ['decision', 'batchable'];
    const mayBeNamedAlone =
      this.#inBranch.has(name) && dependencies.some((parent) => this.#typeOf(parent) !== 'decision');
    const guarded = !this.#initial.has(name) && (dependencies.length > 1 || mayBeNamedAlone);
    const above = [...this.#above.get(name)!].filter((other) => guarded && makers.includes(this.#typeOf(other)));
    return [...new Set([...dependencies, ...above])].filter((other) => this.#exists.has(other));
  }

  /**
   * The existing ancestors of a step. Of a batch without any result, only the analyzer and its ancestors are included.
   */
  #comesAfter({ dependencies }: DynamicStep, found = new Set<string>()): Set<string> {
    for (const parent of dependencies) {
      const step = this.#all.get(parent)!;
      const silent = step.type === 'batch_worker' && !this.#members.get(parent)?.seen.length;
      if (!silent && !this.#over.has(parent)) continue;
      if (this.#exists.has(parent)) found.add(parent);
      const analyzers = step.dependencies.filter((name) => this.#typeOf(name) === 'batchable');
      this.#comesAfter(silent ? { ...step, dependencies: analyzers } : step, found);
    }
    return found;
  }

  /** Replaces batch_worker steps with their workers. */
  #asWorkers(names: readonly string[], which: 'all' | 'seen' = 'all'): Set<string> {
    return new Set(names.flatMap((name) => this.#members.get(name)?.[which] ?? [name]));
  }

  #run(step: DynamicStep, ready: boolean): void {
    const { name, type, wrong } = step;
    const end: StepEnd = ready ? endOf(step) : { state: 'pending', attempts: 0 };
    const maker = type === 'decision' || type === 'batchable';
    this.#put(name, end.state === 'complete' && maker && wrong ? { ...end, state: 'error' } : end);
    if (this.#end.steps[name]!.state !== 'complete') return;
    this.#over.add(name);
    if (maker) for (const made of step.names) this.#named.add(made);
  }

  #membersOf(step: DynamicStep): string[] {
    const analyzer = this.#all.get(step.dependencies.find((parent) => this.#typeOf(parent) === 'batchable')!)!;
    const all = workersOf(analyzer, step).map(({ name }) => name);
    this.#members.set(step.name, { all, seen: all });
    return all;
  }

  #runBatch(step: DynamicStep, ready: boolean): void {
    const analyzer = this.#all.get(step.dependencies.find((parent) => this.#typeOf(parent) === 'batchable')!)!;
    const workers = workersOf(analyzer, step);
    const ends = workers.map(({ name, plan }): { name: string; end: StepEnd } => ({
      name,
      end: ready ? endOf({ ...step, plan }) : { state: 'pending', attempts: 0 },
    }));
    for (const { name, end } of ends) this.#put(name, end);
    if (!ready) return;
    const failed = ends.filter(({ end }) => end.state === 'error').map(({ name }) => name);
    if (failed.length > 0 && step.strategy === 'fail_fast') {
      for (const { name } of workers) this.#end.chance.add(name);
      return;
    }
    for (const name of failed) this.#tolerated.add(name);
    const seen = workers.filter(({ name }) => step.strategy === 'continue_on_failure' || !failed.includes(name));
    this.#members.set(step.name, { all: workers.map(({ name }) => name), seen: seen.map(({ name }) => name) });
    this.#over.add(step.name);
  }

  #put(name: string, end: StepEnd): void {
    this.#end.steps[name] = end;
  }

  end(): DynamicEnd {
    const settled = Object.entries(this.#end.steps).every(
      ([name, { state }]) => state === 'complete' || this.#tolerated.has(name),
    );
    return { ...this.#end, status: settled ? 'complete' : 'blocked_by_failures' };
  }
}
