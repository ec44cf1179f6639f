import { AsyncLocalStorage } from 'node:async_hooks';
import type { StepContext } from './step-context.ts';
import type { ExecutableHandler, HandlerOutcome } from './step-handler.ts';

// The handler brings the function that enters its step, and so its own copy of the package: with two copies in one
// process, the worker of one runs handlers of the other. And only handlers that ask for it pay for it: once a storage
// is entered, Node 20 does more work at every promise of the process.
const ENTER = Symbol.for('tasker-core.enter-step');
const STEP = Symbol('the step that this was made for');

const running = new AsyncLocalStorage<StepContext>();

type Enter = <Outcome>(context: StepContext, run: () => Outcome) => Outcome;

/** The step that an object was made for ({@link belongsTo}), or a handler runs now; undefined when the worker did not call it. */
export function runningStep(of: object): StepContext | undefined {
  return (of as { [STEP]?: StepContext })[STEP] ?? running.getStore();
}

/** Says which step an object was made for. */
export function belongsTo<Made extends object>(made: Made, context: StepContext): Made {
  return Object.defineProperty(made, STEP, { value: context });
}

/** Makes handlers with this prototype, or this one handler, know which step they run: {@link runningStep} tells. */
export function knowsItsStep(handler: object): void {
  const enter: Enter = (context, run) => running.run(context, run);
  Object.defineProperty(handler, ENTER, { value: enter, configurable: true });
}

/** Runs a handler's method for a step, within that step if the handler wants to know it. One instance may serve many at once. */
export function runInStep<Outcome>(handler: object, context: StepContext, run: () => Outcome): Outcome {
  const enter = (handler as { [ENTER]?: Enter })[ENTER];
  return enter ? enter(context, run) : run();
}

/** {@link runInStep} of the handler's `call`, without a function made for each step. */
export function callInStep(context: StepContext, handler: ExecutableHandler): HandlerOutcome {
  const asks = (handler as { [ENTER]?: Enter })[ENTER] !== undefined;
  return asks ? runInStep(handler, context, () => handler.call(context)) : handler.call(context);
}
