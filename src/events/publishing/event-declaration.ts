import type { DeliveryMode, EventCondition } from '../../template/task-template.ts';

/** An event that a template declares under a step's `publishes_events`. Publishers get it as an argument. */
export interface EventDeclaration {
  /** At least two words separated by dots: `payment.processed`. */
  name: string;
  /** The outcome of the step for which the event is published. Default `success`. */
  condition?: EventCondition;
  /** `durable`: stored with the result; `fast`: only within this process; `broadcast`: both. Default `durable`. */
  deliveryMode?: DeliveryMode;
  /**
   * The `publisherName` of its publisher. Default: the publisher whose `publishesFor` contains the step, otherwise the
   * default publisher.
   */
  publisher?: string | null;
  /** The JSON Schema of the payload. */
  schema?: Record<string, unknown>;
}
