import { BulkAct, beginAgain, beginNew } from '../engine/bulk/bulk-act.ts';
import { type BulkReport, type BulkSummary, reportOf, stopOne, summaries } from '../engine/bulk/bulks.ts';
import { type BulkTarget, readTarget } from '../engine/bulk/targets.ts';
import type { Engine } from '../engine/engine.ts';
import { type OperatorOptions, operatorOf, resultOf } from '../engine/operate.ts';
import type { BulkAction } from '../store/bulk/bulks.ts';

/** Who acts and why, and a signal that stops the act after the transaction in progress. */
export interface BulkOptions extends OperatorOptions {
  signal?: AbortSignal | undefined;
}

/** What {@link TaskerBulk} needs from its tasker. */
export interface BulkParts {
  engine: Engine;
  /** Completes the options of an act. */
  by(options: OperatorOptions): OperatorOptions;
  /** Wakes what waits for a task in this process. */
  changed(taskUuid: string): void;
}

/**
 * Acts on many tasks or steps: those that a filter finds, or those that are named one by one. Available as `tasker.bulk`.
 * An act first stores what it selected, with the number of each failed attempt. Then it works in small transactions, and
 * skips what has changed since. It continues after a crash with {@link resume}, and never acts twice on one failure.
 *
 * @example
 * const act = tasker.bulk.retry({ errorType: 'timeout' }, { actor: 'anna', reason: 'the bank is back' });
 * for await (const { done, matched } of act) console.log(`${done} of ${matched}`);
 * const { skipped, failed } = await act.result();
 */
export class TaskerBulk {
  readonly #parts: BulkParts;

  /** @internal */
  constructor(parts: BulkParts) {
    this.#parts = parts;
  }

  /** Retries all failed and waiting steps of tasks, as `retryTask` does. @throws TaskerError `bad_request`, `invalid_uuid` */
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

  /** Deletes tasks that have ended, as `deleteTask` does. Throws the same errors as {@link retry}. */
  delete(target: BulkTarget, options: BulkOptions = {}): BulkAct {
    return this.#act('task_delete', target, options);
  }

  /** Retries the steps that a filter finds, or those with the given names. Throws the same errors as {@link retry}. */
  retrySteps(target: BulkTarget, options: BulkOptions = {}): BulkAct {
    return this.#act('step_retry', target, options);
  }

  /** As {@link retrySteps}, for steps in `error` only. */
  resetSteps(target: BulkTarget, options: BulkOptions = {}): BulkAct {
    return this.#act('step_reset', target, options);
  }

  /** Resolves steps by hand, all with the same result; without one, they have none. A filter finds failed steps unless it has `stepState`. */
  resolveSteps(target: BulkTarget, options: BulkOptions & { result?: unknown } = {}): BulkAct {
    return this.#act('step_resolve', target, options);
  }

  #act(action: BulkAction, target: BulkTarget, { signal, ...options }: BulkOptions & { result?: unknown }): BulkAct {
    const { engine, by, changed } = this.#parts;
    const selection = {
      action,
      target: readTarget(action, target),
      result: resultOf({ action: 'resolve', result: options.result }),
      operator: operatorOf(by(options)),
    };
    return new BulkAct(engine, () => beginNew(engine, selection), { signal, changed });
  }

  /**
   * Continues a bulk act that was stopped, or whose process died. It takes over one that another process still works on,
   * which then ends with an error. Nothing is done twice.
   * @throws TaskerError on iteration: `bulk_not_found`, or `illegal_transition` if it is done
   */
  resume(id: number, { signal, ...options }: BulkOptions = {}): BulkAct {
    const { engine, by, changed } = this.#parts;
    const operator = operatorOf(by(options));
    return new BulkAct(engine, () => beginAgain(engine, id, operator), { signal, changed });
  }

  /** Stops a bulk act after the transaction in progress. Returns false if it does not run. @throws TaskerError `bulk_not_found` */
  stop(id: number, options: OperatorOptions = {}): Promise<boolean> {
    return stopOne(this.#parts.engine.database, id, operatorOf(this.#parts.by(options)));
  }

  /** Returns bulk acts, the newest first. `limit`: 1 to 1000, default 50; `before`: only those with a smaller id. */
  list(page: { limit?: number; before?: number } = {}): Promise<BulkSummary[]> {
    return summaries(this.#parts.engine.database, page);
  }

  /** Returns a bulk act with the items that were skipped or failed. @throws TaskerError `bulk_not_found` */
  show(id: number): Promise<BulkReport> {
    return reportOf(this.#parts.engine.database, id);
  }
}
