import type { TaskerConfig } from '../../config/config-keys.ts';
import type { AdoptedStepRow, ClaimedStepRow, Engine } from '../../engine/engine.ts';
import type { HttpWorkerRow } from '../../engine/http-workers/worker-steps.ts';
import type { Snapshot } from '../../engine/template-store.ts';
import type { Logger } from '../../logging/logger.ts';
import { covers } from '../../model/announced.ts';
import { templateIndex } from '../../model/ids.ts';
import { waitsByType } from '../../model/waits.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { attemptEnd, released, skipped } from '../attempt-end.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import { DEFAULT_VERSION } from '../run-step.ts';
import { evaluateStart } from '../step-expressions.ts';
import { UnreadableTemplates } from '../unrunnable-steps.ts';
import { beginWait } from '../waits/built-in-waits.ts';
import type { Care } from './care.ts';
import type { Given, GivenSteps } from './given-steps.ts';
import type { Recording } from './recording.ts';

/** Maximum bytes of contexts and results of the steps in one claim. Steps beyond that are released. */
const CLAIM_BYTES = 32 * 1024 * 1024;
/** How long the ids of namespaces, and the steps that a worker cannot run, are cached. */
const FRESH_MS = 5_000;
/** Pause before a retry of a claim that found only rows locked by other transactions. */
const PASSED_OVER_MS = 20;

/** A request for steps. */
export interface ClaimWish {
  worker: HttpWorkerRow;
  /** The number of the request, chosen by the client. */
  request: number;
  slots: number;
  namespaces: readonly string[];
  handlers: readonly string[];
  /** How long to wait for steps, in milliseconds. */
  waitMs: number;
  /** Fires when the client has disconnected. */
  signal: AbortSignal;
}

/** Options of {@link Claims}. */
export interface ClaimsOptions extends Pick<TaskerConfig, 'handlerTimeoutMs'> {
  engine: Engine;
  given: GivenSteps;
  recording: Recording;
  logger: Logger;
  care(): Care;
  onWorkLeft(rank: number): void;
}

/** The steps that claims for these namespaces and handlers may take, and the steps that they must skip. */
interface Scope {
  namespaceIds: readonly number[];
  excluded: Set<bigint>;
  at: number;
  /** Settles when no waiting claim is in progress. */
  turn: Promise<void>;
  /** The last wake-up after which a claim found the queue empty. */
  dry?: Wake;
}

/** A wake-up: an event after which the queue may hold steps. */
interface Wake {
  woken: Promise<void>;
  wake: () => void;
}

/** The outcome of one attempt to claim. `final`: the request has claimed steps, so it is not tried again. */
interface Try {
  steps: DispatchedStep[];
  final: boolean;
  passedOver: boolean;
}

/** Claims steps for workers over HTTP, and prepares them. */
export class Claims {
  readonly #options: ClaimsOptions;
  readonly #unreadable: UnreadableTemplates;
  readonly #scopes = new Map<string, Scope>();
  #woken = newWake();
  #stopped = false;

  constructor(options: ClaimsOptions) {
    this.#options = options;
    this.#unreadable = new UnreadableTemplates(options.engine, () => options.onWorkLeft(0), options.logger);
  }

  /** The ids of all namespaces in recent claims. */
  get namespaceIds(): number[] {
    return [...new Set([...this.#scopes.values()].flatMap(({ namespaceIds }) => namespaceIds))];
  }

  /** Lets waiting claims try again. */
  wake(): void {
    const { wake } = this.#woken;
    this.#woken = newWake();
    wake();
  }

  /** Claims steps, and waits if there are none. Undefined if the worker may not claim. */
  async claim(wish: ClaimWish): Promise<DispatchedStep[] | undefined> {
    const until = performance.now() + wish.waitMs;
    for (let tries = 0; ; tries++) {
      const { woken } = this.#woken;
      const scope = await this.#scopeOf(wish);
      const claimed = await (tries === 0 ? this.#claimOnce(wish, scope) : this.#claimInTurn(wish, scope));
      if (claimed === undefined || claimed.steps.length > 0 || claimed.final) return claimed?.steps;
      const left = until - performance.now();
      if (left <= 0 || this.#stopped || wish.signal.aborted) return [];
      await waitAtMost(claimed.passedOver ? Math.min(left, PASSED_OVER_MS) : left, woken, wish.signal);
    }
  }

  /** After a wake-up, waiting claims are tried one after the other, until one finds the queue empty. */
  async #claimInTurn(wish: ClaimWish, scope: Scope): Promise<Try | undefined> {
    const before = scope.turn;
    const { woken: turn, wake: end } = newWake();
    scope.turn = turn;
    try {
      await before;
      const after = this.#woken;
      if (scope.dry === after) return { steps: [], final: false, passedOver: false };
      const claimed = await this.#claimOnce(wish, scope);
      if (claimed && !claimed.passedOver && claimed.steps.length < wish.slots) scope.dry = after;
      return claimed;
    } finally {
      end();
    }
  }

  async #claimOnce({ worker, request, slots, handlers }: ClaimWish, scope: Scope): Promise<Try | undefined> {
    const { engine } = this.#options;
    const excluded = [...scope.excluded, ...this.#unreadable.excluded()];
    const { namespaceIds } = scope;
    const claimed = await engine.httpWorkers.claim({
      workerId: worker.id,
      request,
      limit: slots,
      namespaceIds,
      excluded,
      timeoutMs: (row) => this.#timeoutMs(row),
    });
    if (claimed.kind === 'refused') return undefined;
    const steps = claimed.steps.length > 0 ? await this.#prepare(claimed.steps, handlers, scope) : [];
    if (claimed.kind === 'claimed') this.#options.care().took(claimed.steps.length);
    return { steps, final: claimed.kind === 'repeated' || claimed.steps.length > 0, passedOver: claimed.passedOver };
  }

  /** The ids of the namespaces, and the steps of their templates that have other handlers. */
  async #scopeOf({ namespaces, handlers }: ClaimWish): Promise<Scope> {
    const key = JSON.stringify([namespaces, handlers]);
    const known = this.#scopes.get(key);
    if (known && performance.now() - known.at < FRESH_MS) return known;
    const { engine } = this.#options;
    const namespaceIds = await engine.namespaceIds(namespaces);
    const excluded = new Set(namespaceIds.length > 0 ? await engine.httpWorkers.unserved(namespaceIds, handlers) : []);
    const scope = { namespaceIds, excluded, at: performance.now(), turn: Promise.resolve() };
    this.#scopes.set(key, scope);
    return scope;
  }

  forgetOld(): void {
    const before = performance.now() - 60_000;
    for (const [key, { at }] of this.#scopes) if (at < before) this.#scopes.delete(key);
  }

  /** The timeout of a step. Null means none. Templates are loaded once. */
  #timeoutMs({ templateId, idx }: ClaimedStepRow): Promise<number | null> | number | null {
    const { templates } = this.#options.engine;
    const known = () => {
      const ms = templates.has(templateId) ? this.timeoutOf(templates.get(templateId), idx) : null;
      if (ms !== null) this.#options.care().timeoutIn(ms);
      return ms;
    };
    return templates.has(templateId) ? known() : templates.load([templateId]).then(known);
  }

  timeoutOf({ steps }: Pick<Snapshot, 'steps'>, idx: number): number | null {
    const { type, timeoutSeconds } = steps[templateIndex(idx)]!;
    const ms = timeoutSeconds === null ? this.#options.handlerTimeoutMs : timeoutSeconds * 1000;
    return ms <= 0 || waitsByType(type) ? null : ms;
  }

  /** Loads the data of the steps, begins waits, and releases steps that this worker cannot run. */
  async #prepare(rows: AdoptedStepRow[], handlers: readonly string[], scope: Scope): Promise<DispatchedStep[]> {
    const { engine, given, recording } = this.#options;
    const reasons = await engine.templates.load(rows.map((row) => row.templateId));
    const unreadable = rows.filter((row) => reasons.has(row.templateId));
    if (unreadable.length > 0) this.#unreadable.release(unreadable, reasons);
    const runnable: Given[] = [];
    for (const one of given.hold(rows.filter((row) => !reasons.has(row.templateId)))) {
      const { step, ending } = one;
      if (ending) continue;
      if (waitsByType(step.template.type)) this.#wait(one);
      else if (covers(handlers, step.handler)) runnable.push(one);
      else {
        // The template has a resolver, or is newer than the scope.
        scope.excluded.add((BigInt(step.task.snapshot.id) << 32n) | BigInt(step.templateIdx));
        void recording.end(one, () => released(step));
      }
    }
    await given.hydrate(runnable);
    let bytes = 0;
    const fitting = runnable.filter((one, i) => {
      bytes += one.step.task.row.context.length + given.cache.sizeFor(one.step);
      if (i === 0 || bytes <= CLAIM_BYTES) return true;
      void recording.end(one, () => released(one.step));
      return false;
    });
    const started = await Promise.all(fitting.map((one) => this.#begin(one)));
    return started.filter((step) => step !== undefined);
  }

  /** Begins a step. Records its end instead, and returns undefined, if it is skipped or an expression fails. */
  async #begin(one: Given): Promise<DispatchedStep | undefined> {
    const { step } = one;
    step.begin();
    const before = await evaluateStart(step);
    if (before === undefined) return step;
    void this.#options.recording.end(one, () =>
      before === 'skip' ? skipped(step) : attemptEnd(step, before, DEFAULT_VERSION),
    );
    return undefined;
  }

  /** Begins the wait of a step that runs no handler. */
  #wait(one: Given): void {
    const { given, recording } = this.#options;
    const begin = async () => {
      await given.hydrate([one]);
      if (await this.#begin(one))
        beginWait(one.step, (end) => {
          if (end) void recording.end(one, () => end);
        });
    };
    void begin().catch(
      // The worker does not list the step, so it is taken back after two heartbeats.
      () => given.forget(one),
    );
  }

  stop(): void {
    this.#stopped = true;
    this.wake();
    void this.#unreadable.stop(0);
  }
}

function newWake(): Wake {
  let wake = () => {};
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  return { woken, wake };
}
