import type { CreateTaskerOptions } from '../../src/app/create-tasker.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';

/** A shape of handler, and the outcome of its step. */
export interface HandlerShape {
  /** What follows "a handler that". */
  shape: string;
  call(context: StepContext, sdk: typeof import('../../src/index.ts')): unknown;
  options?: Pick<CreateTaskerOptions, 'handlerTimeoutMs' | 'leaseMs' | 'blockedLoopBoundMs'>;
  processes?: number;
  outcome: {
    state: 'complete' | 'error' | 'waiting_for_retry';
    attempts: number;
    result?: Record<string, unknown>;
    type?: string;
    message?: string;
  };
}

export const HANDLER_SHAPES: readonly HandlerShape[];
