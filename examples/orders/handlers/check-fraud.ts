import { defineHandler } from 'tasker-core';
import { order, results } from './_order.ts';
import { refuse } from './_refuse.ts';

const THROWAWAY_MAIL = /@throwaway\.example$/;
const EXPENSIVE_CENTS = 40_000;

/** Computes a fraud score for an order. The template sets the limit. */
export const checkFraud = defineHandler(
  'orders.check_fraud',
  {
    inputs: { customer: order.customer, address: order.address, totalCents: order.totalCents },
    depends: { authorisation: results.authorisation },
  },
  ({ customer, address, totalCents, authorisation, context }) => {
    const signs = [
      { sign: 'a throwaway mail address', points: THROWAWAY_MAIL.test(customer.email) ? 50 : 0 },
      { sign: 'an expensive order', points: totalCents >= EXPENSIVE_CENTS ? 30 : 0 },
      { sign: 'a card from another country', points: authorisation.card_country === address.country ? 0 : 10 },
    ].filter(({ points }) => points > 0);

    const score = signs.reduce((sum, { points }) => sum + points, 0);
    const limit = context.getConfig<number>('refuse_from_score') ?? 100;
    if (score >= limit) {
      refuse('fraud_suspected', `score ${score} of ${limit}: ${signs.map(({ sign }) => sign).join(', ')}`);
    }
    return { score, signs: signs.map(({ sign }) => sign) };
  },
);
