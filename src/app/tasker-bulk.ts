import { BulkAct, beginAgain, beginNew } from '../engine/bulk/bulk-act.ts';
import { type BulkReport, type BulkSummary, begunBy, reportOf, stopOne, summaries } from '../engine/bulk/bulks.ts';
import { type BulkTarget, readTarget } from '../engine/bulk/targets.ts';
import type { Engine } from '../engine/engine.ts';
import { type OperatorOptions, operatorOf, resultOf } from '../engine/operator-actions.ts';
import { TaskerError } from '../errors.ts';
import type { BulkAction, BulkRequest } from '../store/bulk/bulks.ts';

/** The actor, the reason, and a signal that stops the action after the transaction in progress. */
export interface BulkOptions extends OperatorOptions {
  signal?: AbortSignal | undefined;
  /** The HTTP request that begins the action. @internal */
  request?: BulkRequest | undefined;
}

/** An action that runs without a waiting caller. */
interface Background {
  stop: AbortController;
  ended: Promise<void>;
}

/** The parts of a tasker that {@link TaskerBulk} needs. */
export interface BulkParts {
  engine: Engine;
  /** Completes the options of an action. */
  by(options: OperatorOptions): OperatorOptions;
  /** Wakes the callers in this process that wait for a task. */
  changed(taskUuid: string): void;
}

/**
 * Acts on many tasks or steps, which a filter finds or the caller lists. Available as `tasker.bulk`.
 *
 * An action first stores the selected items, with the number of each failed attempt. Then it processes them in small
 * transactions, and skips items that have since changed. After a crash, {@link resume} continues the action. An action
 * never acts twice on the same failure.
 *
 * @example
 * const act = tasker.bulk.retry({ errorType: 'timeout' }, { actor: 'anna', reason: 'the bank is back' });
 * for await (const { done, matched } of act) console.log(`${done} of ${matched}`);
 * const { skipped, failed } = await act.result();
 */
export class TaskerBulk {
  readonly #parts: BulkParts;
  /** Bulk actions running in this process with no caller waiting, keyed by id. */
  readonly #running = new Map<number, Background>();

  /** @internal */
  constructor(parts: BulkParts) {
    this.#parts = parts;
  }

  /**
   * Retries all failed and waiting steps of tasks, like `retryTask`. @throws TaskerError `bad_request`, `invalid_uuid`
   */
  retry(target: BulkTarget, options: BulkOptions = {}): BulkAct {
    return this.#act('task_retry', target, options);
  }

  /** Cancels tasks that have not ended. Throws the same errors as {@link retry}. */
  cancel(target: BulkTarget, options: BulkOptions = {}): BulkAct {
    return this.#act('task_cancel', target, options);
  }

  /** Ends tasks by hand as `resolved_manually`. Throws the same errors as {@link retry}. */
  resolve(target: BulkTarget, options: BulkOptions = {}): BulkAct {
    return this.#act('task_resolve', target, options);
  }

  /** Deletes tasks that have ended, like `deleteTask`. Throws the same errors as {@link retry}. */
  delete(target: BulkTarget, options: BulkOptions = {}): BulkAct {
    return this.#act('task_delete', target, options);
  }

  /** Undoes tasks, like `undoTask`. Skips tasks whose template has no `undo`. Throws the same errors as {@link retry}. */
  undo(target: BulkTarget, options: BulkOptions = {}): BulkAct {
    return this.#act('task_undo', target, options);
  }

  /** Retries the steps that a filter finds, or the given steps. Throws the same errors as {@link retry}. */
  retrySteps(target: BulkTarget, options: BulkOptions = {}): BulkAct {
    return this.#act('step_retry', target, options);
  }

  /** Like {@link retrySteps}, for steps in `error` only. */
  resetSteps(target: BulkTarget, options: BulkOptions = {}): BulkAct {
    return this.#act('step_reset', target, options);
  }

  /**
   * Resolves steps by hand, all with the same result or none. A filter finds failed steps unless it has `stepState`.
   */
  resolveSteps(target: BulkTarget, options: BulkOptions & { result?: unknown } = {}): BulkAct {
    return this.#act('step_resolve', target, options);
  }

  /**
   * Runs an action to its end without a waiting caller. Resolves with the id once the action has begun. From then on,
   * {@link resume} can continue the action in any process. `onEnd` receives the error if the action failed. @internal
   */
  async runAlone(start: (signal: AbortSignal) => BulkAct, onEnd: (error: unknown) => void): Promise<number> {
    const stop = new AbortController();
    const progress = start(stop.signal)[Symbol.asyncIterator]();
    // The first progress comes after the action is stored as running.
    const { id } = (await progress.next()).value as { id: number };
    const work = async () => {
      while (!(await progress.next()).done);
    };
    const ended = work()
      .then(
        () => onEnd(undefined),
        (error: unknown) => onEnd(error),
      )
      .finally(() => this.#running.delete(id));
    this.#running.set(id, { stop, ended });
    return id;
  }

  /** Returns the action that a request with this key began, for the same actor. @internal */
  async begunBy(key: string, options: OperatorOptions): Promise<{ id: number; hash: string } | undefined> {
    const { actor } = operatorOf(this.#parts.by(options));
    return begunBy(this.#parts.engine.database, { actor, key });
  }

  /** Returns whether this process works on an action that {@link runAlone} has begun. @internal */
  runsHere(id: number): boolean {
    return this.#running.has(id);
  }

  /** Stops the actions of {@link runAlone} after the transactions in progress. They can be resumed. @internal */
  async stopAll(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { stop } of running) stop.abort(new TaskerError('stopped', 'the process stops'));
    await Promise.all(running.map(({ ended }) => ended));
  }

  #act(
    action: BulkAction,
    target: BulkTarget,
    { signal, request, ...options }: BulkOptions & { result?: unknown },
  ): BulkAct {
    const { engine, by, changed } = this.#parts;
    const selection = {
      action,
      target: readTarget(action, target),
      result: resultOf({ action: 'resolve', result: options.result }),
      operator: operatorOf(by(options)),
      request,
    };
    return new BulkAct(engine, () => beginNew(engine, selection), { signal, changed });
  }

  /**
   * Continues a bulk action that was stopped, or whose process died. If another process still works on the action, this
   * one takes it over, and the other ends with an error. Finished items are not repeated.
   * @throws TaskerError on iteration: `bulk_not_found`, or `illegal_transition` if the action is done
   */
  resume(id: number, { signal, ...options }: BulkOptions = {}): BulkAct {
    const { engine, by, changed } = this.#parts;
    const operator = operatorOf(by(options));
    return new BulkAct(engine, () => beginAgain(engine, id, operator), { signal, changed });
  }

  /**
   * Stops a bulk action after the transaction in progress. Returns false if the action is not running.
   * @throws TaskerError `bulk_not_found`
   */
  stop(id: number, options: OperatorOptions = {}): Promise<boolean> {
    return stopOne(this.#parts.engine.database, id, operatorOf(this.#parts.by(options)));
  }

  /** Returns bulk actions, newest first. `limit`: 1 to 1000, default 50; `before`: only actions with a smaller id. */
  list(page: { limit?: number; before?: number } = {}): Promise<BulkSummary[]> {
    return summaries(this.#parts.engine.database, page);
  }

  /** Returns a bulk action with the items that were skipped or failed. @throws TaskerError `bulk_not_found` */
  show(id: number): Promise<BulkReport> {
    return reportOf(this.#parts.engine.database, id);
  }
}
