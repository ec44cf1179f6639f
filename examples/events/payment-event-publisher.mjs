import { BasePublisher } from 'tasker-core';

/** Makes the events of payments: without what is nobody's business. */
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

  /** After the commit: from here on the event is sure to arrive. */
  afterPublish(ctx, event) {
    this.logger.info({ event: event.eventId }, `published ${event.eventName} of ${ctx.stepName}`);
  }

  onPublishError(ctx, error) {
    this.logger.error({ error }, `no ${ctx.eventName} of ${ctx.stepName}`);
  }
}
