import { defineHandler, PermanentError } from 'tasker-core';

export const price = defineHandler('order.price', { inputs: { pieces: 'pieces' } }, ({ pieces }) => ({
  cents: 990 * pieces,
}));

export const ship = defineHandler(
  'order.ship',
  { inputs: { order: 'order', invoice: 'invoice' } },
  ({ order, invoice }) => ({ parcel: `${order} with ${invoice}` }),
);

export const hold = defineHandler('order.hold', { inputs: { order: 'order' } }, ({ order }) => ({ held: order }));

/** A customer who owes money is a permanent failure, which ends the invoice in error. */
export const check = defineHandler('invoice.check', { inputs: { customer: 'customer' } }, ({ customer }) => {
  if (customer === 'Bob') throw new PermanentError('Bob owes money');
  return { customer };
});

export const number = defineHandler('invoice.number', { inputs: { cents: 'cents' } }, ({ cents }) => ({
  number: `I-${cents}`,
}));
