import { defineHandler } from 'tasker-core';
import { z } from 'zod';
import { order, results } from './_order.ts';
import { post } from './_post.ts';

const Captured = z.object({ capture_id: z.string(), amount_cents: z.int() });

/**
 * Takes the money: the step that must not happen twice. The engine may run it again (no answer in time, the worker
 * killed), so the order's number is the idempotency key, and the payment service keeps to it.
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
