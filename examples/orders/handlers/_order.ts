import { z } from 'zod';

/** A line of an order. */
const line = z.object({
  sku: z.string(),
  quantity: z.int().positive(),
  unit_cents: z.int().nonnegative(),
});

/** The context of the task, which is the order. Every handler reads the parts that it needs. */
export const order = {
  orderId: { key: 'order_id', schema: z.string() },
  customer: { key: 'customer', schema: z.object({ name: z.string(), email: z.string() }) },
  address: {
    key: 'address',
    schema: z.object({ street: z.string(), postcode: z.string(), city: z.string(), country: z.string() }),
  },
  lines: { key: 'lines', schema: z.array(line) },
  shippingCents: { key: 'shipping_cents', schema: z.int() },
  totalCents: { key: 'total_cents', schema: z.int() },
  card: { key: 'card', schema: z.string() },
} as const;

/** The schemas of the results, by step. */
export const results = {
  validated: ['validate_order', z.object({ amount_cents: z.int().positive(), parcels: z.int() })],
  reservation: ['reserve_stock', z.object({ reservation_id: z.string() })],
  authorisation: ['authorise_payment', z.object({ authorisation_id: z.string(), card_country: z.string() })],
  capture: ['capture_payment', z.object({ capture_id: z.string(), amount_cents: z.int() })],
  shipment: ['ship_parcel', z.object({ tracking_number: z.string(), carrier: z.string() })],
  invoice: ['write_invoice', z.object({ invoice_number: z.string() })],
} as const;
