import { completeLater, defineHandler } from 'tasker-core';

/** Starts a payment. The service calls back with the token. Until then, the step occupies no slot of a worker. */
export const pay = defineHandler(
  'callback.pay',
  { inputs: { invoice: 'invoice' } },
  async ({ invoice, context, signal }) => {
    const token = await context.completionToken();
    const callback = `${process.env.SHOP_URL}/payments/callback?token=${encodeURIComponent(token)}`;
    const response = await fetch(`${process.env.PAYMENTS_URL}/payments`, {
      method: 'POST',
      body: JSON.stringify({ invoice, attempt: context.attempt, callback }),
      signal,
    });
    const { payment } = await response.json();
    return completeLater({ timeoutMs: 3_000, metadata: { payment } });
  },
);

export const book = defineHandler('callback.book', { depends: { payment: 'pay' } }, ({ payment }) => ({
  booked: payment.receipt,
}));
