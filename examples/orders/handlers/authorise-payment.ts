import { defineHandler } from 'tasker-core';
import { z } from 'zod';
import { order, results } from './_order.ts';
import { post } from './_post.ts';

const Authorised = z.object({ authorisation_id: z.string(), card_country: z.string() });

/** Authorises the amount with the card's bank. No money moves yet. */
export const authorisePayment = defineHandler(
  'orders.authorise_payment',
  { inputs: { orderId: order.orderId, card: order.card }, depends: { validated: results.validated } },
  ({ orderId, card, validated, signal }) =>
    post({
      service: 'payments',
      path: '/authorisations',
      idempotencyKey: `${orderId}:authorise`,
      body: { order_id: orderId, card, amount_cents: validated.amount_cents },
      answer: Authorised,
      signal,
    }),
);
