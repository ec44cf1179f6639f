import type { Engine } from '../engine/engine.ts';
import type { OperatorOptions } from '../engine/operate.ts';
import type { SignalOptions, SignalTarget } from '../engine/waits/signal-request.ts';
import {
  getSignal,
  type Signal,
  type SignalListOptions,
  type SignalPage,
  signalsOfTask,
} from '../engine/waits/signal-view.ts';
import { type SentSignal, sendSignal } from '../engine/waits/signals.ts';
import { TaskerApprovals } from './tasker-approvals.ts';
import { TaskerWaits } from './tasker-waits.ts';

/** Methods for signals and approvals. {@link Tasker} inherits them. */
export abstract class TaskerSignals extends TaskerWaits {
  readonly #engine: Engine;
  /** The approvals that steps wait for. */
  readonly approvals: TaskerApprovals;

  /** @internal */
  constructor(engine: Engine) {
    super(engine);
    this.#engine = engine;
    this.approvals = new TaskerApprovals({
      engine,
      by: (options: OperatorOptions) => this.by(options),
      changed: (taskUuid: string) => this.changed(taskUuid),
    });
  }

  /**
   * Sends a signal to a task, by its id or its idempotency key. With a correlation id, sends the signal to all open
   * tasks that have a step for it. A step that waits for the signal is completed in the same transaction, with the
   * payload as its result: at most 1 MB of JSON. A signal that arrives before its step waits is kept for the step.
   *
   * The payload must match the `schema` of the step. With an `idempotencyKey`, the call can be repeated safely. With a
   * `client` in your own transaction, the signal is delivered within a second after that transaction commits; see
   * {@link getSignal}.
   *
   * @example
   * const { tasks } = await tasker.signal(taskUuid, 'payment_received', { amount: 12 }, { idempotencyKey: event.id });
   * console.log(tasks[0]!.status); // used, held or kept
   * await tasker.signal({ correlationId: orderId }, 'shipped');
   * await tasker.signal({ namespace: 'shop', name: 'order', idempotencyKey: 'O-7' }, 'shipped');
   * @throws TaskerError `signal_refused` if no step can use the signal or the payload does not match; `wait_over` if
   * the signal arrived too late; `task_not_found`, `invalid_uuid`, `bad_request`
   */
  async signal(
    task: SignalTarget,
    name: string,
    payload: unknown = null,
    options: SignalOptions = {},
  ): Promise<SentSignal> {
    const sent = await sendSignal(this.#engine, { target: task, name, payload }, options);
    for (const { taskUuid, status } of sent.tasks) if (status === 'used') this.changed(taskUuid);
    return sent;
  }

  /**
   * Returns a signal and its outcome by its `signalId`. Returns undefined if the signal does not exist or its task was
   * deleted. Also returns undefined for a signal that was sent with a `client` and rejected more than 30 days ago.
   *
   * @example
   * const { status, error, tasks } = (await tasker.getSignal(signalId))!;
   * if (status === 'refused') console.warn(error!.message);
   * @throws TaskerError `invalid_uuid`
   */
  getSignal(signalId: string): Promise<Signal | undefined> {
    return getSignal(this.#engine.database, signalId);
  }

  /**
   * Returns the signals that a task has received, in order of arrival.
   *
   * @example
   * const { signals } = await tasker.listSignals(taskUuid, { kept: true });
   * @throws TaskerError `task_not_found`, `invalid_uuid`, `bad_request`
   */
  listSignals(taskUuid: string, options: SignalListOptions = {}): Promise<SignalPage> {
    return signalsOfTask(this.#engine.database, taskUuid, options);
  }
}
