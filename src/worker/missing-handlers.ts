import type { Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { nearNames } from '../model/near-names.ts';
import { announcedAs, announcementOf, covers } from '../registry/announcement.ts';
import type { HandlerDefinition } from '../registry/handler-definition.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { ResolverNotFoundError } from '../registry/resolution-errors.ts';
import { type AttemptEnd, givenBack, handlerNotFound } from './attempt-end.ts';
import type { DispatchedStep } from './dispatched-step.ts';
import { stepFields } from './step-log.ts';

/** The registries that a worker's steps run with: its own, or those of the subscribers of its channel. */
export class ActiveRegistries {
  readonly #own: HandlerRegistry;
  #all: readonly HandlerRegistry[];

  constructor(own: HandlerRegistry) {
    this.#own = own;
    this.#all = [own];
  }

  /** Replaces them by those of subscribers, or by its own when there are none; returns whether they changed. */
  replace(ofSubscribers: readonly HandlerRegistry[]): boolean {
    const before = this.#all;
    this.#all = ofSubscribers.length > 0 ? ofSubscribers : [this.#own];
    return this.#all.length !== before.length || this.#all.some((one, i) => one !== before[i]);
  }

  /** What the worker announces to others. */
  get announcement(): string[] {
    return announcementOf(...this.#all);
  }

  refresh(): void {
    for (const registry of this.#all) registry.refresh();
  }

  /** Whether a handler is here, or a resolver is to be asked for it. */
  mayHave(handler: HandlerDefinition): boolean {
    return this.#all.some((one) => !one.lacks(handler));
  }

  /** The registry that knows most of a handler. */
  of(handler: HandlerDefinition): HandlerRegistry {
    return this.#all.find((one) => one.canResolve(handler)) ?? this.#all.at(-1)!;
  }
}

export interface MissingHandlersOptions {
  engine: Engine;
  registries: ActiveRegistries;
  workerId(): number;
  graceMs: number;
  /** How long a callable is left to others before it is looked at again. */
  excludeForMs: number;
  /** Its handler is here now, or a resolver is to be asked. */
  run(step: DispatchedStep): void;
  /** It goes back, or fails. */
  end(end: AttemptEnd): void;
}

const LOOK_MS = 500;
/** Steps of one kind that are held while their handler is missing. */
const ENOUGH_WAIT = 100;
const NONE: readonly bigint[] = [];

/**
 * Steps that were claimed though nothing here resolves their handler. Another living worker that announces it gets
 * them; if there is none they wait a while, since handlers may be registered after the start, and then fail.
 */
export class MissingHandlers {
  readonly #options: MissingHandlersOptions;
  readonly #logger: Logger;
  readonly #waiting = new Map<DispatchedStep, number>();
  /** By namespace, callable and resolver: since when it is missing, and when it was last wanted. */
  readonly #since = new Map<string, { first: number; last: number }>();
  /** Steps (template << 32 | idx) that are left to others, until when. */
  readonly #excluded = new Map<bigint, number>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: MissingHandlersOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
  }

  /** What a claim must leave out. */
  excluded(): readonly bigint[] {
    if (this.#excluded.size === 0 && this.#waiting.size < ENOUGH_WAIT) return NONE;
    const now = performance.now();
    for (const [key, until] of this.#excluded) if (until < now) this.#excluded.delete(key);
    return [...this.#excluded.keys(), ...this.#enoughWait()];
  }

  /** Steps of which so many wait here that the others may as well wait in the queue. */
  *#enoughWait(): Iterable<bigint> {
    if (this.#waiting.size < ENOUGH_WAIT) return;
    const counts = new Map<bigint, number>();
    for (const step of this.#waiting.keys()) {
      const key = keyOf(step);
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      if (count === ENOUGH_WAIT) yield key;
    }
  }

  add(step: DispatchedStep): void {
    const callable = callableOf(step);
    const now = performance.now();
    const known = this.#since.get(callable);
    const asWell = known !== undefined && now - known.last < this.#options.graceMs;
    // Resolvers are asked now and then while it waits; once is enough to say it.
    if (this.#waiting.size === 0 && !asWell) {
      this.#logger.warn(
        { ...stepFields(step), handler: step.handlerName },
        'no handler of that name is registered here',
      );
    }
    // Those that come while it is known to be missing need not wait as long again; after a pause they do.
    const first = asWell ? known.first : now;
    this.#since.set(callable, { first, last: now });
    this.#waiting.set(step, first);
    void this.#look([step]);
    this.#schedule();
  }

  delete(step: DispatchedStep): void {
    this.#waiting.delete(step);
  }

  /** Handlers were registered: what waited may run. */
  refresh(): void {
    this.#excluded.clear();
    this.#since.clear();
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
        this.#logger.debug({ error: messageOf(error) }, 'looking for other workers with a handler failed');
      }
    }
  }

  /** Whether another live worker of the step's namespace has the handler that this one lacks. */
  async #servedElsewhere({ handler, task }: DispatchedStep): Promise<boolean> {
    const { engine, registries, workerId } = this.#options;
    const entry = announcedAs(handler);
    // A resolver here claims it and found nothing. Another worker with the same resolver would send the step back, and so
    // on without end. Only a worker that announces the handler itself gets it.
    const ours = registries.of(handler).canResolve(handler);
    if (ours && entry !== handler.callable) return false;
    const { namespace } = task.snapshot.template;
    const announced = await engine.announcedElsewhere({ workerId: workerId(), namespace, entry });
    return covers(announced, handler, { forms: !ours });
  }

  #decide(step: DispatchedStep, since: number, served: boolean): void {
    if (!this.#waiting.has(step)) return;
    if (served) {
      this.#since.delete(callableOf(step));
      this.#waiting.delete(step);
      this.#excluded.set(keyOf(step), performance.now() + this.#options.excludeForMs);
      this.#options.end(givenBack(step));
    } else if (performance.now() - since >= this.#options.graceMs) {
      this.#waiting.delete(step);
      const why = whyMissing(this.#options.registries.of(step.handler), step.handler);
      this.#options.end(handlerNotFound(step, `step ${step.name}: ${why}`));
    }
  }

  /** Everything that waits goes back. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const step of this.#waiting.keys()) this.#options.end(givenBack(step));
    this.#waiting.clear();
  }
}

function callableOf(step: DispatchedStep): string {
  return `${step.task.snapshot.template.namespace} ${step.handlerName} ${step.template.handler.resolver ?? ''}`;
}

/** The step of its template, as a claim knows it. */
function keyOf(step: DispatchedStep): bigint {
  return (BigInt(step.task.snapshot.id) << 32n) | BigInt(step.templateIdx);
}

/** Why no worker can run a handler, and what to do. */
function whyMissing(registry: HandlerRegistry, { callable, resolver }: HandlerDefinition): string {
  const resolvers = registry.chain.listResolvers().map(([name]) => name);
  if (resolver && !resolvers.includes(resolver)) return new ResolverNotFoundError(resolver, resolvers).message;
  if (resolver) return `resolver ${resolver} has no handler named ${callable}`;
  return `no worker has a handler named ${callable}; ${hintFor(registry, callable)}`;
}

function hintFor(registry: HandlerRegistry, callable: string): string {
  const isFile = /^\.{1,2}\//.test(callable);
  if (isFile && !registry.canResolve(callable)) return 'to name handlers by file, give the registry a baseFolder';
  const known = registry.listHandlers();
  const near = nearNames(callable, known);
  if (near.length > 0) return `did you mean ${near.join(' or ')}?`;
  return known.length > 0 ? `registered are ${known.slice(0, 10).join(', ')}` : 'no handler is registered at all';
}
