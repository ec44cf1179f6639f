import { resultOfReturn, resultOfThrown } from '../handlers/outcome.ts';
import { callInStep } from '../handlers/running-step.ts';
import type { StepContext } from '../handlers/step-context.ts';
import type { ExecutableHandler } from '../handlers/step-handler.ts';
import type { StepHandlerResult } from '../handlers/step-handler-result.ts';
import { inLogScope } from '../logging/log-scope.ts';

/** Stored with a result unless the handler names its version. */
const DEFAULT_VERSION = '1.0.0';

/**
 * Calls a handler. Whatever it does becomes a result, told to `settled` exactly once: at once when it returns or throws,
 * later when it gave a promise, never when that never settles. Never throws itself. `within` calls the handler where it
 * should run; what comes after runs where this was called.
 */
export function callHandler(
  handler: ExecutableHandler,
  context: StepContext,
  settled: (result: StepHandlerResult, version: string) => void,
  within?: (call: () => unknown) => unknown,
): void {
  let version = DEFAULT_VERSION;
  let result: StepHandlerResult;
  try {
    const named: unknown = handler.version;
    if (typeof named === 'string') version = named;
    const returned: unknown = within
      ? within(() => inLogScope(context, callInStep, handler))
      : inLogScope(context, callInStep, handler);
    if (isThenable(returned)) {
      // Not `returned.then`: somebody's own thenable may call back twice, or throw.
      Promise.resolve(returned).then(
        (value) => settled(resultOfReturn(value), version),
        (thrown: unknown) => settled(resultOfThrown(thrown), version),
      );
      return;
    }
    result = resultOfReturn(returned);
  } catch (thrown) {
    result = resultOfThrown(thrown);
  }
  settled(result, version);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
