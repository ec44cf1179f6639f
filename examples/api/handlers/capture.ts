import { defineApiHandler } from 'tasker-core';
import { z } from 'zod';

/** Captures the money. This handler is a function. The response that it returns becomes the step's result. */
export const capture = defineApiHandler(
  'payments.capture',
  {
    baseUrl: () => process.env.PAYMENTS_URL ?? '',
    defaultTimeout: 2_000,
    inputs: { orderId: { key: 'order_id', schema: z.string() }, amount: { key: 'amount_cents', schema: z.int() } },
    depends: { authorised: ['authorise', z.object({ authorisation_id: z.string() })] },
  },
  ({ orderId, amount, authorised, api }) =>
    api.post('/captures', {
      json: { order_id: orderId, authorisation_id: authorised.authorisation_id, amount_cents: amount },
      idempotencyKey: true,
    }),
);
