import { defineHandler } from 'tasker-core';
import { z } from 'zod';
import { order, results } from './_order.ts';
import { post } from './_post.ts';

const Captured = z.object({ capture_id: z.string(), amount_cents: z.int() });

/**
 * Captures the money. This must not happen twice, but the engine may run the step again after a timeout or when the worker
 * dies. The order's number is therefore the idempotency key, which the payment service respects.
 */
export const capturePayment = defineHandler(
  'orders.capture_payment',
  {
    inputs: { orderId: order.orderId },
    depends: { validated: results.validated, authorisation: results.authorisation, reservation: results.reservation },
  },
  ({ orderId, validated, authorisation, signal }) =>
    post({
      service: 'payments',
      path: '/captures',
      idempotencyKey: `${orderId}:capture`,
      body: {
        order_id: orderId,
        authorisation_id: authorisation.authorisation_id,
        amount_cents: validated.amount_cents,
      },
      answer: Captured,
      signal,
    }),
);
