import type { EventLog } from '../../../engine/events/log.ts';
import type { LoggedEvent } from '../../../engine/events/logged-event.ts';
import type { HandedOver, HandOverOptions } from '../hand-over.ts';
import type { HeldWork } from './held-work.ts';

/** What those who handle a part of the log, or what is due again, need of their group. */
export interface GroupWork {
  readonly log: EventLog;
  readonly groupId: number;
  readonly leaseMs: number;
  /** What takes longer does not keep others waiting that have nothing to do with it. */
  readonly slowMs: number;
  /** Whether somebody in this process asked for events of this name. */
  wants(eventName: string): boolean;
  /** Hands an event over, which somebody here must want, as soon as there is a slot. */
  handle(event: LoggedEvent, options: HandOverOptions): Promise<HandedOver>;
  /** Asks the database until it answers; undefined when the time for that is over. */
  retryUntilAnswered<T>(ask: () => Promise<T>): Promise<T | undefined>;
  /** Lets go of what is held under this holder. */
  letGo(holder: string): Promise<void>;
  /** What came of other work, and is to be worked on beside it. */
  goOn(work: HeldWork): void;
  /** Something may be done now that could not be before. */
  stir(): void;
  /** A delivery is due again in so many milliseconds. */
  retryIn(delayMs: number): void;
}
