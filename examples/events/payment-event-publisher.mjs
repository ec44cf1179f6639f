import { BasePublisher } from 'tasker-core';

/** Creates the events of payments, without confidential fields. */
export class PaymentEventPublisher extends BasePublisher {
  static publisherName = 'payment_events';

  publishesFor() {
    return ['process_payment', 'refund_payment'];
  }

  transformPayload(ctx) {
    if (!ctx.success) return { reason: ctx.metadata.error_message };
    const { payment_id, amount, currency, status } = ctx.result;
    return { payment_id, amount, currency, status };
  }

  additionalMetadata() {
    return { payment_processor: 'stripe' };
  }

  /** Called after the commit. From now on, the event is certain to be delivered. */
  afterPublish(ctx, event) {
    this.logger.info({ event: event.eventId }, `published ${event.eventName} of ${ctx.stepName}`);
  }

  onPublishError(ctx, error) {
    this.logger.error({ error }, `no ${ctx.eventName} of ${ctx.stepName}`);
  }
}
