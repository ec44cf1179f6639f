import { defineHandler } from 'tasker-core';
import { order } from './_order.ts';
import { refuse } from './_refuse.ts';

const SERVED = new Set(
  'AR AT AU BE BR CA CH CL CZ DE DK EE ES FI FR GB GR HR HU IE IL IN IS IT JP KR LT LU LV MA MX NG NL NO NZ PL PT RO RS SE SK TR TW UA US VN'.split(
    ' ',
  ),
);
const LINES_A_PARCEL = 3;

/** Checks the rules that need no other service. */
export const validateOrder = defineHandler(
  'orders.validate',
  {
    inputs: {
      address: order.address,
      lines: order.lines,
      shippingCents: order.shippingCents,
      totalCents: order.totalCents,
    },
  },
  ({ address, lines, shippingCents, totalCents }) => {
    if (!SERVED.has(address.country)) refuse('country_not_served', `the shop does not send to ${address.country}`);
    if (address.postcode.trim() === '') refuse('invalid_address', 'the address has no postcode');
    if (/\bp\.?\s?o\.? box\b/i.test(address.street)) refuse('invalid_address', 'a carrier cannot deliver to a PO box');

    const amount = lines.reduce((sum, { quantity, unit_cents }) => sum + quantity * unit_cents, shippingCents);
    if (amount !== totalCents) {
      refuse('wrong_total', `the total is ${totalCents} cents, but the lines add up to ${amount}`);
    }
    return { amount_cents: amount, parcels: Math.ceil(lines.length / LINES_A_PARCEL) };
  },
);
