import { defineHandler } from 'tasker-core';
import { z } from 'zod';
import { order, results } from './_order.ts';
import { post } from './_post.ts';

const Shipped = z.object({ tracking_number: z.string(), carrier: z.string() });

/** Asks the warehouse to ship the reserved goods. */
export const shipParcel = defineHandler(
  'orders.ship_parcel',
  {
    inputs: { orderId: order.orderId, address: order.address },
    depends: { reservation: results.reservation, validated: results.validated },
  },
  ({ orderId, address, reservation, validated, signal }) =>
    post({
      service: 'warehouse',
      path: '/shipments',
      idempotencyKey: `${orderId}:ship`,
      body: {
        order_id: orderId,
        reservation_id: reservation.reservation_id,
        country: address.country,
        parcels: validated.parcels,
      },
      answer: Shipped,
      signal,
    }),
);
