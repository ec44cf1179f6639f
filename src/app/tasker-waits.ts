import type { Engine } from '../engine/engine.ts';
import type { OperatorOptions } from '../engine/operate.ts';
import type { TimerTime } from '../engine/waits/timers.ts';
import type { TokenError, TokenUse } from '../engine/waits/tokens.ts';
import { type TaskWait, waitsOfTask } from './overview/task-waits.ts';

/** Methods that end the waits of steps, for operators and for holders of tokens. {@link Tasker} inherits them. */
export abstract class TaskerWaits {
  readonly #engine: Engine;

  /** @internal */
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Wakes the callers in this process that wait for this task. @internal */
  protected abstract changed(taskUuid: string): void;

  /** Returns the options of an action, with its origin (`door`). */
  protected abstract by<Options extends OperatorOptions>(options?: Options): Options & OperatorOptions;

  /** Returns the last wait of each step in a task, including ended waits. @internal */
  getWaits(taskUuid: string): Promise<TaskWait[]> {
    return waitsOfTask(this.#engine, taskUuid);
  }

  /**
   * Completes a timer step now, as if its time had come.
   *
   * @example
   * await tasker.fireTimer(taskUuid, 'cooling_off', { actor: 'ann', reason: 'the customer agreed' });
   * @throws TaskerError `illegal_transition` if the step does not wait for a time; `task_not_found`, `step_not_found`,
   * `invalid_uuid`
   */
  async fireTimer(taskUuid: string, step: string, options?: OperatorOptions): Promise<void> {
    await this.#engine.fireTimer({ taskUuid, step }, this.by(options));
    this.changed(taskUuid.toLowerCase());
  }

  /**
   * Changes the time of a timer step: ISO 8601 with a zone, milliseconds since 1970, a date, or `{ delayMs }` from now
   * by the clock of the database. A time in the past ends the wait immediately. Returns the time in ISO 8601.
   *
   * @example
   * await tasker.moveTimer(taskUuid, 'trial', '2027-01-15T09:00:00+01:00', { actor: 'ann' });
   * @throws TaskerError `bad_request` if the time is malformed; `illegal_transition` if the step does not wait for a
   * time; `task_not_found`, `step_not_found`, `invalid_uuid`
   */
  moveTimer(taskUuid: string, step: string, until: TimerTime, options?: OperatorOptions): Promise<string> {
    return this.#engine.moveTimer({ taskUuid, step }, until, this.by(options));
  }

  /**
   * Starts a task now that was created with `startAt` or `delayMs`.
   *
   * @example
   * await tasker.startTaskNow(taskUuid, { actor: 'ann' });
   * @throws TaskerError `illegal_transition` if the task has started or ended, `task_not_found`, `invalid_uuid`
   */
  async startTaskNow(taskUuid: string, options?: OperatorOptions): Promise<void> {
    await this.#engine.startTaskNow(taskUuid, this.by(options));
    this.changed(taskUuid.toLowerCase());
  }

  /**
   * Changes the start of a task that was created with `startAt` or `delayMs`: ISO 8601 with a zone, milliseconds since
   * 1970, a date, or `{ delayMs }` from now by the clock of the database. A time in the past starts the task
   * immediately. Returns the time in ISO 8601.
   *
   * @example
   * await tasker.rescheduleTask(taskUuid, { delayMs: 3_600_000 }, { actor: 'ann' });
   * @throws TaskerError `bad_request` if the time is malformed; `illegal_transition` if the task has started or ended;
   * `task_not_found`, `invalid_uuid`
   */
  rescheduleTask(taskUuid: string, at: TimerTime, options?: OperatorOptions): Promise<string> {
    return this.#engine.rescheduleTask(taskUuid, at, this.by(options));
  }

  /**
   * Completes a step from outside, with the token that its handler got from `context.completionToken()`. The result is
   * checked against the step's `result_schema`. A repeated call changes nothing and returns `repeated: true`.
   *
   * If the attempt is still running, the step completes immediately: the handler's signal fires, and its return value
   * is dropped. If its worker was lost, the token stays valid until the next attempt starts.
   *
   * @example
   * app.post('/callback', async (request, response) => {
   *   await tasker.completeByToken(request.query.token, { paid: request.body.amount });
   *   response.sendStatus(204);
   * });
   * @throws TaskerError `token_invalid`; `wait_over` if the call comes too late; `bad_request` or `result_not_storable`
   * if the result is rejected, and the step continues to wait
   */
  async completeByToken(token: string, result?: unknown): Promise<TokenUse> {
    return this.#used(await this.#engine.completeByToken(token, result));
  }

  /**
   * Fails the attempt of a token. The retry policy of the step applies, unless the error is not `retryable`. A repeated
   * call changes nothing.
   *
   * @example
   * await tasker.failByToken(token, { message: 'the card was refused', errorType: 'card_refused', retryable: false });
   * @throws TaskerError `token_invalid`, `wait_over`, `bad_request`
   */
  async failByToken(token: string, error: string | TokenError): Promise<TokenUse> {
    return this.#used(await this.#engine.failByToken(token, error));
  }

  /**
   * Sets the timeout of the wait for a completion to `timeoutMs` milliseconds from now, by the database clock. A system
   * that works for a long time can call it repeatedly. Returns the new end of the wait in ISO 8601.
   *
   * @example
   * await tasker.extendByToken(token, { timeoutMs: 60_000 });
   * @throws TaskerError `token_invalid`; `wait_over` if the wait has ended or timed out;
   * `illegal_transition` if the attempt does not wait yet; `bad_request`
   */
  extendByToken(token: string, { timeoutMs }: { timeoutMs: number }): Promise<string> {
    return this.#engine.extendByToken(token, timeoutMs);
  }

  #used(use: TokenUse): TokenUse {
    this.changed(use.taskUuid);
    return use;
  }
}
