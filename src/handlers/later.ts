import { StepHandlerResult } from './step-handler.ts';
import {
  type CompleteLaterOptions,
  callWait,
  completionWait,
  type NotYetOptions,
  type StartedTask,
  tasksWait,
  type UntilTasksEndOptions,
} from './step-wait.ts';

/**
 * Lets the step wait until another system completes it with its token, or an operator completes it. Meanwhile the step
 * occupies no slot and no worker. Get the token with `await context.completionToken()` first, and pass it to the other
 * system. Return this value from the handler; class handlers have `this.completeLater(…)`.
 *
 * @throws PermanentError `validation_error` if an option is invalid; the step then fails permanently
 *
 * @example
 * const charge = defineHandler('charge', { inputs: { order: 'order_id' } }, async ({ order, context }) => {
 *   const token = await context.completionToken();
 *   await payments.start({ order, callback: `https://shop.example/paid?token=${token}` });
 *   return completeLater({ timeoutMs: 3_600_000, metadata: { provider: 'acme' } });
 * });
 * // Later, where the callback arrives:
 * await tasker.completeByToken(token, { receipt: 'R-7' });
 */
export function completeLater(options?: CompleteLaterOptions): StepHandlerResult {
  return new StepHandlerResult({ success: true, wait: completionWait(options) });
}

/**
 * Ends this call of the handler without a result. A worker calls the handler again after `retryInMs` milliseconds, or
 * later if no worker is free. A call uses up no attempt. `wait: { timeout, max_calls }` in the template limits the
 * calls of an attempt, by default to 24 hours. Beyond a limit, the step fails with `wait_timeout`. A step with `retry:
 * { retryable: false }` is called again only with `wait: { repeatable: true }`. Return this value from the handler;
 * class handlers have `this.notYet(…)`.
 *
 * @throws PermanentError `validation_error` if an option is invalid; the step then fails permanently
 *
 * @example
 * const render = defineHandler('render', {}, async ({ context }) => {
 *   const job = (context.checkpointCursor as string | null) ?? (await farm.submit(context.stepUuid));
 *   const { done, url } = await farm.status(job);
 *   return done ? { url } : notYet({ retryInMs: 30_000, checkpoint: job });
 * });
 */
export function notYet(options: NotYetOptions): StepHandlerResult {
  return new StepHandlerResult({ success: true, wait: callWait(options) });
}

/**
 * Lets the step wait until child tasks that its handler has started with `context.startTask` have ended. Meanwhile the step
 * occupies no slot and no worker. Then the step completes with their outputs, in the order of the list: as for any list that a
 * handler returns, later steps read `result.0`, `result.1` and so on. With `onFailure: 'continue'`, each element is `{ task_uuid,
 * state, output, error }`. Return this value from the handler; class handlers have `this.untilTasksEnd(…)`.
 *
 * @throws PermanentError `validation_error` if an argument is invalid; the step then fails permanently
 *
 * @example
 * const bill = defineHandler('bill', { inputs: { orders: 'orders' } }, async ({ orders, context }) => {
 *   const start = (order: Order) => context.startTask('billing/invoice', { order }, { key: order.id });
 *   return untilTasksEnd(await Promise.all((orders as Order[]).map(start)));
 * });
 */
export function untilTasksEnd(
  tasks: readonly (StartedTask | string)[],
  options?: UntilTasksEndOptions,
): StepHandlerResult {
  return new StepHandlerResult({ success: true, wait: tasksWait(tasks, options) });
}
