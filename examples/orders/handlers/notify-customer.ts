import { type StepContext, StepHandler, type StepHandlerResult } from 'tasker-core';
import { order, results } from './_order.ts';

/**
 * Writes the mail to the customer. This handler is a class, so it reads from the context the values that a function
 * receives through `inputs` and `depends`. The message id is the same in every attempt, so that a mail server can
 * discard a second copy.
 */
export class NotifyCustomer extends StepHandler {
  static override readonly handlerName = 'orders.notify_customer';

  override call(context: StepContext): StepHandlerResult {
    const orderId = order.orderId.schema.parse(context.getInput('order_id'));
    const customer = order.customer.schema.parse(context.getInput('customer'));
    const shipment = results.shipment[1].parse(context.getDependencyResult('ship_parcel'));
    const invoice = results.invoice[1].parse(context.getDependencyResult('write_invoice'));
    return this.success({
      message_id: `<${orderId}.sent@shop.example>`,
      to: customer.email,
      subject: `${customer.name}, your order ${orderId} is on its way`,
      text: `${shipment.carrier} ${shipment.tracking_number}; your invoice is ${invoice.invoice_number}.`,
    });
  }
}
