import type { Engine } from '../engine/engine.ts';
import type { OperatorOptions } from '../engine/operate.ts';
import type { SignalOptions, SignalTarget } from '../engine/waits/signal-request.ts';
import {
  getSignal,
  type Signal,
  type SignalListOptions,
  type SignalPage,
  signalsOfTask,
  type TaskSignal,
} from '../engine/waits/signal-view.ts';
import { type SentSignal, type SignalReceipt, sendSignal } from '../engine/waits/signals.ts';
import { TaskerApprovals } from './tasker-approvals.ts';
import { TaskerWaits } from './tasker-waits.ts';

export type {
  SentSignal,
  Signal,
  SignalListOptions,
  SignalOptions,
  SignalPage,
  SignalReceipt,
  SignalTarget,
  TaskSignal,
};

/** Messages of other systems and of people to waiting tasks. {@link Tasker} inherits it. */
export abstract class TaskerSignals extends TaskerWaits {
  readonly #engine: Engine;
  /** The decisions that steps wait for. */
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
   * Sends a signal to a task: by its id, to all open tasks with a correlation id that have a step for it, or by the
   * idempotency key that the task was created with. A step that waits for it is completed with the payload, at most 1 MB
   * of JSON, in the same transaction. A signal that comes before its step waits is kept for it.
   *
   * The payload must fit the `schema` of the step. With an `idempotencyKey`, the call can be repeated safely. With a
   * `client` in a transaction of yours, the signal is sent if that transaction commits, within a second of its commit; see
   * {@link getSignal}.
   *
   * @example
   * const { tasks } = await tasker.signal(taskUuid, 'payment_received', { amount: 12 }, { idempotencyKey: event.id });
   * console.log(tasks[0]!.status); // used, held or kept
   * await tasker.signal({ correlationId: orderId }, 'shipped');
   * await tasker.signal({ namespace: 'shop', name: 'order', idempotencyKey: 'O-7' }, 'shipped');
   * @throws TaskerError `signal_refused` if no step can use it or the payload does not fit; `wait_over` if it came too late;
   * `task_not_found`, `invalid_uuid`, `bad_request`
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
   * Returns a signal with its outcome, by its `signalId`. Undefined: there is none, its task was deleted, or it was sent
   * with a `client` and refused more than 30 days ago.
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
   * Returns the signals that a task has received, in the order of their arrival.
   *
   * @example
   * const { signals } = await tasker.listSignals(taskUuid, { kept: true });
   * @throws TaskerError `task_not_found`, `invalid_uuid`, `bad_request`
   */
  listSignals(taskUuid: string, options: SignalListOptions = {}): Promise<SignalPage> {
    return signalsOfTask(this.#engine.database, taskUuid, options);
  }
}
