import { BasePublisher } from './base-publisher.ts';
import type { StepEventContext, StepResult } from './step-event-context.ts';

/**
 * The publisher of events without another publisher. The payload is the step's result.
 *
 * @example
 * const payload = new DefaultPublisher().transformPayload({ success: true, result: { amount: 12.5 } });
 */
export class DefaultPublisher extends BasePublisher {
  override readonly publisherName = 'default';

  override transformPayload(ctx: StepEventContext | StepResult): Record<string, unknown> {
    return ctx.result ?? {};
  }
}
