import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import type { HeldStep } from './held-step.ts';
import { stepFields } from './step-log.ts';

/** What becomes of steps without a handler, decided by the worker. */
export interface MissingHandlersOptions {
  graceMs: number;
  /** How long a callable is left to others before it is looked at again. */
  excludeForMs: number;
  servedElsewhere(step: HeldStep): Promise<boolean>;
  /** Whether its handler is here now, or a resolver is to be asked. */
  mayRun(step: HeldStep): boolean;
  /** What to say when it is not. */
  whyMissing(step: HeldStep): string;
  run(step: HeldStep): void;
  giveBack(step: HeldStep): void;
  fail(step: HeldStep, message: string): void;
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
  readonly #waiting = new Map<HeldStep, number>();
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

  add(step: HeldStep): void {
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

  delete(step: HeldStep): void {
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
      if (!this.#options.mayRun(step)) continue;
      this.#waiting.delete(step);
      this.#options.run(step);
    }
  }

  async #look(steps: readonly HeldStep[]): Promise<void> {
    this.#runKnown();
    const asked = new Map<string, Promise<boolean>>();
    for (const step of steps) {
      const since = this.#waiting.get(step);
      if (since === undefined) continue;
      const key = callableOf(step);
      const asking = asked.get(key) ?? this.#options.servedElsewhere(step);
      asked.set(key, asking);
      try {
        this.#decide(step, since, await asking);
      } catch (error) {
        this.#logger.debug({ error: messageOf(error) }, 'asking for other workers did not get through');
      }
    }
  }

  #decide(step: HeldStep, since: number, served: boolean): void {
    if (!this.#waiting.has(step)) return;
    if (served) {
      this.#since.delete(callableOf(step));
      this.#waiting.delete(step);
      this.#excluded.set(keyOf(step), performance.now() + this.#options.excludeForMs);
      this.#options.giveBack(step);
    } else if (performance.now() - since >= this.#options.graceMs) {
      this.#waiting.delete(step);
      this.#options.fail(step, `step ${step.name}: ${this.#options.whyMissing(step)}`);
    }
  }

  /** Everything that waits goes back. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const step of this.#waiting.keys()) this.#options.giveBack(step);
    this.#waiting.clear();
  }
}

function callableOf(step: HeldStep): string {
  return `${step.task.snapshot.template.namespace} ${step.handlerName} ${step.template.handler.resolver ?? ''}`;
}

/** The step of its template, as a claim knows it. */
function keyOf(step: HeldStep): bigint {
  return (BigInt(step.task.snapshot.id) << 32n) | BigInt(step.templateIdx);
}
