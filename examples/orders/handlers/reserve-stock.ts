import { defineHandler } from 'tasker-core';
import { z } from 'zod';
import { order } from './_order.ts';
import { post } from './_post.ts';

const Reserved = z.object({ reservation_id: z.string() });

/** Reserves the goods in the warehouse. A reservation that is not shipped expires, so later failures need not undo it. */
export const reserveStock = defineHandler(
  'orders.reserve_stock',
  { inputs: { orderId: order.orderId, lines: order.lines } },
  ({ orderId, lines, signal }) =>
    post({
      service: 'warehouse',
      path: '/reservations',
      idempotencyKey: `${orderId}:reserve`,
      body: { order_id: orderId, lines: lines.map(({ sku, quantity }) => ({ sku, quantity })) },
      answer: Reserved,
      signal,
    }),
);
