import type { StepContext } from '../handlers/step-context.ts';
import { StepHandlerResult } from '../handlers/step-handler.ts';
import { timeoutFailure } from '../worker/attempt-end.ts';
import { callHandler, checkedResult } from '../worker/run-step.ts';
import { instanceOf, type TestHandler } from './handler-of.ts';
import { abortTestContext, createTestContext, type TestContextOptions } from './test-context.ts';

/** Options of {@link runHandler}. */
export interface RunHandlerOptions {
  /** Timeout in milliseconds, like the template's `timeout_seconds`. Default: none. */
  timeoutMs?: number;
  /** The method to call, like the template's `handler.method`. Default `call`. */
  method?: string;
}

/**
 * Runs a handler once, without a database, and returns the result that a worker would record. Plain values are wrapped,
 * and errors become failures. A result that cannot be stored becomes a permanent failure. Other results are returned as
 * they would be read from the database. A timeout aborts the signal of a context from {@link createTestContext}.
 *
 * Throws `handler_invalid` if the value is not a handler, or if creating an instance throws.
 *
 * @example
 * const result = await runHandler(charge, { inputData: { amount: 12.5 }, dependencyResults: { cart: { total: 12.5 } } });
 * expect(result.success).toBe(true);
 * expect(result.result).toEqual({ charged: 12.5 });
 */
export async function runHandler(
  handler: TestHandler,
  context: StepContext | TestContextOptions = {},
  { timeoutMs = 0, method }: RunHandlerOptions = {},
): Promise<StepHandlerResult> {
  const executable = instanceOf(handler, method);
  const ready = isContext(context) ? context : createTestContext({ handlerName: executable.name, ...context });
  const step = isContext(context) ? context.handlerName : (context.stepName ?? ready.handlerName);
  return new Promise((resolve) => {
    const timer = timeoutMs > 0 ? setTimeout(() => timeOut(), timeoutMs) : undefined;
    const timeOut = () => {
      resolve(timeoutFailure(step, timeoutMs));
      abortTestContext(ready, new DOMException(`step ${step} took longer than its timeout`, 'TimeoutError'));
    };
    callHandler(executable, ready, (result) => {
      clearTimeout(timer);
      resolve(asRecorded(result, step));
    });
  });
}

function isContext(context: StepContext | TestContextOptions): context is StepContext {
  return typeof (context as Partial<StepContext>).getDependencyResult === 'function';
}

function asRecorded(given: StepHandlerResult, step: string): StepHandlerResult {
  const { result, json } = checkedResult(given, { step });
  return result.success ? new StepHandlerResult({ ...result, result: JSON.parse(json) as object }) : result;
}
