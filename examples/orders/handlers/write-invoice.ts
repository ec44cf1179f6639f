import { defineHandler } from 'tasker-core';
import { order, results } from './_order.ts';

/** Creates the number and text of the invoice. They are the same in every attempt. */
export const writeInvoice = defineHandler(
  'orders.write_invoice',
  {
    inputs: {
      orderId: order.orderId,
      customer: order.customer,
      lines: order.lines,
      shippingCents: order.shippingCents,
    },
    depends: { capture: results.capture },
  },
  ({ orderId, customer, lines, shippingCents, capture, context }) => ({
    invoice_number: `${context.getConfig<string>('series') ?? 'INV'}-${orderId.replace(/\D/g, '')}`,
    text: [
      customer.name,
      ...lines.map(({ sku, quantity, unit_cents }) => `${quantity} × ${sku}: ${euros(quantity * unit_cents)}`),
      `shipping: ${euros(shippingCents)}`,
      `paid: ${euros(capture.amount_cents)}`,
    ].join('\n'),
  }),
);

function euros(cents: number): string {
  return `${(cents / 100).toFixed(2)} €`;
}
