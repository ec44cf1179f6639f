import { defineHandler, PermanentError } from 'tasker-core';

export const reserve = defineHandler('routes.reserve', { inputs: { order: 'order' } }, ({ order }) => ({
  reservation: `R-${order}`,
}));

/** A declined card is a permanent failure, which is not retried. */
export const charge = defineHandler(
  'routes.charge',
  { inputs: { order: 'order', card: 'card' } },
  ({ order, card }) => {
    if (card === 'declined') throw new PermanentError('the card was declined');
    return { payment: `P-${order}` };
  },
);

export const ship = defineHandler('routes.ship', { inputs: { order: 'order' } }, ({ order }) => ({
  tracking: `T-${order}`,
}));

export const release = defineHandler('routes.release', { depends: { stock: 'reserve' } }, ({ stock }) => ({
  released: stock.reservation,
}));

/** The inputs of this step and the next are the values of expressions in the template. */
export const tell = defineHandler(
  'routes.tell',
  { inputs: { customer: 'customer', text: 'text' } },
  ({ customer, text }) => ({ letter: `Dear ${customer}, ${text}` }),
);

export const ledger = defineHandler(
  'routes.ledger',
  { inputs: { order: 'order', outcome: 'outcome' } },
  ({ order, outcome }) => ({ entry: `${order} ${outcome}` }),
);
