import { defineHandler, PermanentError } from 'tasker-core';
import { z } from 'zod';

export const processPayment = defineHandler(
  'events.process_payment',
  { inputs: { order_id: z.string(), amount: z.int(), card: z.string() } },
  ({ order_id, amount, card }) => {
    if (card === 'declined') throw new PermanentError(`the card of ${order_id} was declined`);
    // The publisher selects which of these fields the event contains.
    return { payment_id: `P-${order_id}`, amount, currency: 'EUR', status: 'captured', gateway_token: 'secret' };
  },
);

export const completeOrder = defineHandler(
  'events.complete_order',
  { inputs: { order_id: z.string() } },
  ({ order_id }) => ({
    order_id,
  }),
);
