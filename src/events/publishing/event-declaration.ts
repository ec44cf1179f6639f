import type { DeliveryMode, EventCondition } from '../../template/task-template.ts';

/** An event that a step's template declares under `publishes_events`, as publishers are told of it. */
export interface EventDeclaration {
  /** At least two words with a dot between them: `payment.processed`. */
  name: string;
  /** Which outcome of the step publishes it. Default `success`. */
  condition?: EventCondition;
  /** `durable`: stored with the result; `fast`: in this process; `broadcast`: both. Default `durable`. */
  deliveryMode?: DeliveryMode;
  /** The `publisherName` of the publisher that makes it; null or absent: whose `publishesFor` names the step, else the default. */
  publisher?: string | null;
  /** The JSON Schema that its payload must meet. */
  schema?: Record<string, unknown>;
}
