import { type ClaimedStepRow, type Engine, KIND, type RecordedStep } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { isServed } from '../model/announced.ts';
import { templateIndex } from '../model/ids.ts';
import { nearNames } from '../model/near-names.ts';
import { isWaitCallable, WAIT_CALLABLES } from '../model/waits.ts';
import { announcementOf } from '../registry/announcement.ts';
import type { HandlerDefinition } from '../registry/handler-definition.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { ResolverNotFoundError } from '../registry/resolution-errors.ts';
import { backOff } from '../time/back-off.ts';
import { type AttemptEnd, handlerNotFound, released, withheld } from './attempt-end.ts';
import type { DispatchedStep } from './dispatched-step.ts';
import { stepFields } from './step-reports.ts';

const NONE: readonly bigint[] = [];

/** Steps of templates that the claims of a worker leave to other workers, each for a limited time. */
class ExcludedSteps {
  /** When each exclusion ends, by key (template << 32 | idx). */
  readonly #until = new Map<bigint, number>();

  add(key: bigint, forMs: number): void {
    this.#until.set(key, performance.now() + forMs);
  }

  clear(): void {
    this.#until.clear();
  }

  /** The keys that are still excluded. */
  keys(): readonly bigint[] {
    if (this.#until.size === 0) return NONE;
    const now = performance.now();
    for (const [key, until] of this.#until) if (until < now) this.#until.delete(key);
    return [...this.#until.keys()];
  }
}

function keyOf(templateId: number, templateIdx: number): bigint {
  return (BigInt(templateId) << 32n) | BigInt(templateIdx);
}

/** The registries that the steps of a worker use: its own, or those of the subscribers of its channel. */
export class ActiveRegistries {
  readonly #own: HandlerRegistry;
  #all: readonly HandlerRegistry[];

  constructor(own: HandlerRegistry) {
    this.#own = own;
    this.#all = [own];
  }

  /** Uses the registries of the subscribers, or the worker's own if there are none. Returns whether they changed. */
  replace(ofSubscribers: readonly HandlerRegistry[]): boolean {
    const before = this.#all;
    this.#all = ofSubscribers.length > 0 ? ofSubscribers : [this.#own];
    return this.#all.length !== before.length || this.#all.some((one, i) => one !== before[i]);
  }

  /**
   * Whether the announcement covers every handler that these registries can find. Resolvers of users may find handlers
   * that match no announced pattern.
   */
  get announcesAll(): boolean {
    return this.#all.every((one) => one.chain.isBuiltIn);
  }

  /** The handlers that this worker announces to other workers. */
  get announcement(): string[] {
    return [...announcementOf(...this.#all), ...Object.values(WAIT_CALLABLES)];
  }

  refresh(): void {
    for (const registry of this.#all) registry.refresh();
  }

  /** Returns whether a handler is registered, or a resolver may find it. */
  mayHave(handler: HandlerDefinition): boolean {
    return this.#all.some((one) => !one.lacks(handler));
  }

  /** The registry that has a handler, or the last registry if none has it. */
  of(handler: HandlerDefinition): HandlerRegistry {
    return this.#all.find((one) => one.canResolve(handler)) ?? this.#all.at(-1)!;
  }
}

/** Options of {@link MissingHandlers}. Times in milliseconds. */
export interface MissingHandlersOptions {
  engine: Engine;
  registries: ActiveRegistries;
  workerId(): number;
  graceMs: number;
  /** Whether steps wait for a handler that no worker has. Readers of a channel expect that such a step fails. */
  waits: boolean;
  /** How long claims leave a step to a worker that has its handler. */
  excludeForMs: number;
  /** Called when the handler is registered, or a resolver may find it. */
  run(step: DispatchedStep): void;
  /** Called when the step is released or fails. */
  end(end: AttemptEnd): void;
}

const LOOK_MS = 500;
/** If this many steps of one kind are waiting, claims leave the others in the queue. */
const ENOUGH_WAIT = 100;

/**
 * Claimed steps whose handler this worker cannot resolve. If another live worker announces the handler, the steps are
 * released to that worker. Otherwise they wait here for the grace period, because handlers may be registered after
 * startup. Then they are released to a part of the queue that no claim reads, until a worker announces the handler. The
 * steps fail if no worker can ever have the handler, if the grace period is 0, or if a channel hands them out.
 */
export class MissingHandlers {
  readonly #options: MissingHandlersOptions;
  readonly #logger: Logger;
  readonly #waiting = new Map<DispatchedStep, number>();
  /**
   * By namespace, callable and resolver: the times when the handler was first missing and when a step last needed it.
   */
  readonly #since = new Map<string, { first: number; last: number }>();
  readonly #excluded = new ExcludedSteps();
  /** Handlers for which the worker has logged that their steps wait. */
  readonly #withheld = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: MissingHandlersOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
  }

  /** The steps that a claim must skip. */
  excluded(): readonly bigint[] {
    const keys = this.#excluded.keys();
    return this.#waiting.size < ENOUGH_WAIT ? keys : [...keys, ...this.#enoughWait()];
  }

  /** The kinds of steps with {@link ENOUGH_WAIT} or more waiting steps. */
  *#enoughWait(): Iterable<bigint> {
    const counts = new Map<bigint, number>();
    for (const step of this.#waiting.keys()) {
      const key = keyOf(step.task.snapshot.id, step.templateIdx);
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      if (count === ENOUGH_WAIT) yield key;
    }
  }

  add(step: DispatchedStep): void {
    const callable = callableOf(step);
    const now = performance.now();
    const known = this.#since.get(callable);
    const isRecent = known !== undefined && now - known.last < this.#options.graceMs;
    // If a resolver is asked again while the handler is missing, the step is added again. The warning is still logged
    // only once.
    if (this.#waiting.size === 0 && !isRecent) {
      this.#logger.warn({ ...stepFields(step), handler: step.handlerName }, 'handler not registered here');
    }
    // The grace period starts with the first step that missed the handler. After a period without such steps, it starts
    // again.
    const first = isRecent ? known.first : now;
    this.#since.set(callable, { first, last: now });
    this.#waiting.set(step, first);
    void this.#look([step]);
    this.#schedule();
  }

  delete(step: DispatchedStep): void {
    this.#waiting.delete(step);
  }

  /** Called when handlers were registered. Runs the waiting steps whose handler now exists. */
  refresh(): void {
    this.#excluded.clear();
    this.#since.clear();
    this.#withheld.clear();
    this.#runKnown();
  }

  #schedule(): void {
    if (this.#stopped || this.#timer || this.#waiting.size === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        void this.#look([...this.#waiting.keys()]).finally(() => this.#schedule());
      },
      Math.min(LOOK_MS, this.#options.graceMs),
    );
  }

  #runKnown(): void {
    for (const step of this.#waiting.keys()) {
      if (!this.#options.registries.mayHave(step.handler)) continue;
      this.#waiting.delete(step);
      this.#options.run(step);
    }
  }

  async #look(steps: readonly DispatchedStep[]): Promise<void> {
    this.#runKnown();
    const asked = new Map<string, Promise<boolean>>();
    for (const step of steps) {
      const since = this.#waiting.get(step);
      if (since === undefined) continue;
      const key = callableOf(step);
      const asking = asked.get(key) ?? this.#servedElsewhere(step);
      asked.set(key, asking);
      try {
        this.#decide(step, since, await asking);
      } catch (error) {
        this.#logger.debug({ error: messageOf(error) }, 'handlers of other workers not read');
      }
    }
  }

  /** Returns whether another live worker of the step's namespace has the handler that this worker lacks. */
  async #servedElsewhere({ handler, task }: DispatchedStep): Promise<boolean> {
    const { engine, registries, workerId } = this.#options;
    // Every worker announces these names for the steps that wait. A standard step that names one of them has no
    // handler.
    if (isWaitCallable(handler.callable)) return false;
    const { namespace } = task.snapshot.template;
    const { callable, resolver } = handler;
    const { own, workers, tried } = await engine.announcedElsewhere({
      workerId: workerId(),
      namespace,
      callable,
      resolver,
    });
    if (workers.some(({ ability }) => ability === 'has')) return true;
    // A resolver of this worker accepted the name but found no handler. Two workers with the same resolver would
    // release the step to each other forever. So until this worker is known to have tried, the step is left only to a
    // worker that announces the handler itself.
    if (registries.of(handler).canResolve(handler) && (own === null || !tried.includes(own))) return false;
    return isServed(workers, tried);
  }

  #decide(step: DispatchedStep, since: number, served: boolean): void {
    if (!this.#waiting.has(step)) return;
    if (served) {
      this.#since.delete(callableOf(step));
      this.#withheld.delete(callableOf(step));
      this.#waiting.delete(step);
      this.#excluded.add(keyOf(step.task.snapshot.id, step.templateIdx), this.#options.excludeForMs);
      this.#options.end(released(step));
    } else if (performance.now() - since >= this.#options.graceMs) {
      this.#waiting.delete(step);
      const { graceMs, registries, waits } = this.#options;
      const registry = registries.of(step.handler);
      const why = whyMissing(registry, step.handler);
      if (waits && graceMs > 0 && mayAppear(registry, step.handler)) this.#withhold(step, { since, why });
      else this.#options.end(handlerNotFound(step, `step ${step.name}: ${why}`));
    }
  }

  /** Releases the step until a worker announces its handler. */
  #withhold(step: DispatchedStep, { since, why }: { since: number; why: string }): void {
    const { registries, workerId, end } = this.#options;
    const { handler } = step;
    const { namespace } = step.task.snapshot.template;
    const key = callableOf(step);
    if (!this.#withheld.has(key)) {
      this.#withheld.add(key);
      this.#logger.warn(
        { handler: handler.callable, namespace, reason: why },
        'no worker has the handler; its steps wait',
      );
    }
    end(
      withheld(step, {
        namespace,
        callable: handler.callable,
        resolver: handler.resolver ?? null,
        workerId: workerId(),
        missedMs: performance.now() - since,
        hasTried: registries.of(handler).canResolve(handler),
      }),
    );
  }

  /** Releases all waiting steps. */
  release(): void {
    for (const step of this.#waiting.keys()) this.#options.end(released(step));
    this.#waiting.clear();
  }

  /** Releases all waiting steps, and stops looking for their handlers. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.release();
  }
}

function callableOf(step: DispatchedStep): string {
  return `${step.task.snapshot.template.namespace} ${step.handlerName} ${step.template.handler.resolver ?? ''}`;
}

/** Returns whether a worker may have the handler later. The names of built-in handlers are reserved. */
function mayAppear(registry: HandlerRegistry, { callable }: HandlerDefinition): boolean {
  return !isWaitCallable(callable) && !isFileWithoutFolder(registry, callable);
}

function isFileWithoutFolder(registry: HandlerRegistry, callable: string): boolean {
  return /^\.{1,2}\//.test(callable) && !registry.canResolve(callable);
}

/** Returns why no worker can run a handler, and what to do. */
function whyMissing(registry: HandlerRegistry, { callable, resolver }: HandlerDefinition): string {
  const resolvers = registry.chain.listResolvers().map(([name]) => name);
  if (resolver && !resolvers.includes(resolver)) return new ResolverNotFoundError(resolver, resolvers).message;
  if (resolver) return `resolver ${resolver} has no handler named ${callable}`;
  return `no worker has a handler named ${callable}; ${hintFor(registry, callable)}`;
}

function hintFor(registry: HandlerRegistry, callable: string): string {
  if (isFileWithoutFolder(registry, callable)) return 'to name handlers by file, give the registry a baseFolder';
  const known = registry.listHandlers();
  const near = nearNames(callable, known);
  if (near.length > 0) return `did you mean ${near.join(' or ')}?`;
  return known.length > 0 ? `registered handlers: ${known.slice(0, 10).join(', ')}` : 'no handlers are registered';
}

/** How long claims leave steps with an unreadable template to other workers before trying them again. */
const EXCLUDE_MS = 10 * 60_000;
/** Maximum number of steps in one transaction. */
const BATCH = 500;
const NO_CHILDREN = { freeSlots: 0, token: 0, lastRank: -101 };

/** A claimed step and its fence. */
export type FencedStep = Pick<ClaimedStepRow, 'taskUuid' | 'idx' | 'templateId' | 'rank'> & { claim: number };

/**
 * Claimed steps whose template this program cannot read, because a newer version stored it during a rolling upgrade.
 * The steps are released without spending an attempt, and later claims leave them to other workers.
 */
export class UnreadableTemplates {
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #onReleased: () => void;
  readonly #excluded = new ExcludedSteps();
  readonly #warned = new Set<number>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  #left = 0;

  /** Whether steps are being released. */
  get busy(): boolean {
    return this.#underWay.size > 0;
  }

  /** `onReleased` is called when the queue holds steps for other workers again. */
  constructor(engine: Engine, onReleased: () => void, logger: Logger) {
    this.#engine = engine;
    this.#onReleased = onReleased;
    this.#logger = logger;
  }

  /** The steps that a claim must skip. */
  excluded(): readonly bigint[] {
    return this.#excluded.keys();
  }

  /** Releases these steps to other workers. `reasons`: by template, the reason why it cannot be read. */
  release(steps: readonly FencedStep[], reasons: ReadonlyMap<number, Error>): void {
    for (const { templateId, idx } of steps) this.#excluded.add(keyOf(templateId, templateIndex(idx)), EXCLUDE_MS);
    for (const [id, reason] of reasons) this.#warn(id, reason);
    for (let i = 0; i < steps.length; i += BATCH) {
      const going = this.#release(steps.slice(i, i + BATCH)).finally(() => this.#underWay.delete(going));
      this.#underWay.add(going);
    }
  }

  #warn(templateId: number, reason: Error): void {
    if (this.#warned.has(templateId)) return;
    this.#warned.add(templateId);
    this.#logger.warn(
      { template_id: templateId, error: reason.message },
      'a stored template cannot be read by this worker, probably because a newer version of the package stored it; its steps are left to other workers; upgrade this worker',
    );
  }

  /**
   * Releases the steps. Safe to repeat, because the fence makes the database reject a step that is already released.
   */
  async #release(steps: readonly FencedStep[]): Promise<void> {
    for (let tries = 0; !this.#stopped.signal.aborted; tries++) {
      try {
        await this.#engine.record(steps.map(releasedRow), NO_CHILDREN);
        this.#onReleased();
        return;
      } catch (error) {
        if (tries === 0)
          this.#logger.warn({ error: messageOf(error) }, 'steps not released to other workers; retrying');
        await backOff(tries, this.#stopped.signal);
      }
    }
    this.#left += steps.length;
  }

  /**
   * Waits at most `ms` for the releases in progress. Returns the number of steps that have not been released. Other
   * workers take these steps when the lease expires.
   */
  async stop(ms: number): Promise<number> {
    const timer = setTimeout(() => this.#stopped.abort(), ms);
    await Promise.all(this.#underWay);
    clearTimeout(timer);
    return this.#left;
  }
}

function releasedRow(step: FencedStep): RecordedStep {
  return {
    taskUuid: step.taskUuid,
    idx: step.idx,
    claim: step.claim,
    kind: KIND.released,
    delayMs: 0,
    templateId: step.templateId,
    rank: step.rank,
    durationMs: 0,
    result: 'null',
    detail: 'null',
  };
}
