import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import type { StepHandlerResult } from '../../handlers/step-handler-result.ts';

/** A step that a subscriber was told of, whoever it comes from. */
export interface OfferedStep {
  readonly event: FfiStepEvent;
  readonly handlerName: string;
  /** Whether {@link take} may still get it. */
  readonly open: boolean;
  /** False: somebody else runs it, or nobody waits for it any more. */
  take(): boolean;
  /** Finds its handler and calls it. */
  run(): void;
  /** Nothing was done with it. */
  giveBack(): void;
  /** Its signal fires. */
  abort(reason: string): void;
}

/** What becomes of a step that was taken. */
export interface TakenStepEvents<S> {
  /** Its handler settled; `sent` says whether its result was taken, and what follows from it committed. */
  settled(step: S, result: StepHandlerResult, sent: Promise<boolean>): void;
  /** Its handler is unknown, so nothing ran. `sent`: whether the failure was accepted. */
  missing(step: S, result: StepHandlerResult, sent: Promise<boolean>): void;
  /** It said how far it came, and comes again as another event; `sent` says whether that is saved. */
  yielded(step: S, result: StepHandlerResult, sent: Promise<boolean>): void;
  timedOut(step: S, error: Error): void;
  /** It has left without a result. */
  gone(step: S): void;
  /** Whether the subscriber stops: then failures spend no attempt. */
  stopping(): boolean;
}
