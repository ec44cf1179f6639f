import type { EventReference } from '../../engine/events/log.ts';
import type { Halt } from '../halt.ts';
import type { HandedOver } from './hand-over.ts';

/** A delivery on its way, which outlives the part of the log that its event was taken with. */
export interface BegunDelivery extends EventReference {
  /** Deliveries that failed before. */
  failures: number;
  /** What becomes of it. */
  handled: Promise<HandedOver>;
  /** Ends the waiting. */
  halt: Halt;
}
