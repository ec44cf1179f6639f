import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import type { StepHandlerResult } from '../../handlers/step-handler.ts';
import type { Settling } from '../delivery.ts';
import type { RunnableStep } from '../run-step.ts';

/** A step that a subscriber received as an event: from the worker of this process, or from a caller's own module. */
export interface ReceivedStep extends RunnableStep {
  readonly event: FfiStepEvent;
  readonly handlerName: string;
  /** Whether {@link take} may still succeed. */
  readonly open: boolean;
  /** Takes it to call its handler. `timedOut`: it took too long. False: another subscriber has it, or it is over. */
  take(timedOut: (error: Error) => void): boolean;
  /** Its handler is known or being resolved. */
  starts(): void;
  /** Sends its outcome; resolves to whether it was accepted and committed. Undefined: it is over, and nothing is sent. */
  complete(result: StepHandlerResult, how: Settling): Promise<boolean> | undefined;
  /** Sends its progress: it comes again as another event. Undefined: it is over, and nothing is sent. */
  yield(result: StepHandlerResult): Promise<boolean> | undefined;
  /** Its handler is unknown. Returns the failure that is sent; undefined: none is. */
  missing(): { result: StepHandlerResult; sent: Promise<boolean> } | undefined;
  /** Returns it untouched. */
  giveBack(): void;
  /** Fires its signal. */
  abort(reason: string): void;
}
