import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer, refusal, startHttpService } from './http-service.mjs';

/** Cards that the bank always refuses. */
const REFUSED = {
  tok_declined: ['card_declined', 'the bank declined the card'],
  tok_no_funds: ['insufficient_funds', 'the account has too little money'],
  tok_expired: ['card_expired', 'the card has expired'],
};

/**
 * Cards for which this service fails: the route, and the number of failures before it succeeds. The service does not store
 * the counts, so it fails again after a restart.
 */
const FAILURES = {
  tok_busy: { at: 'authorise', times: 1 },
  tok_error: { at: 'authorise', times: 2 },
  tok_hang: { at: 'authorise', times: 1 },
  tok_slow: { at: 'capture', times: 1 },
  tok_reset: { at: 'capture', times: 1 },
};

const TOO_SLOW_MS = 6000;
const COUNTRIES = { tok_cartes_bancaires: 'FR', tok_amex: 'US' };

/**
 * Starts the payment service. It authorises cards and captures money, but does not always respond. With `tok_slow` and
 * `tok_reset`, it takes the money without a response, which is the worst case.
 *
 * It respects idempotency keys: a request with a known key is not processed again, but receives the same response.
 *
 * @param {import('./ledger.mjs').Ledger} ledger
 */
export function startPaymentService(ledger) {
  const seen = new Map();
  const mustFail = (card, at, key) => {
    const failure = FAILURES[card];
    if (failure?.at !== at) return false;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    return seen.get(key) <= failure.times;
  };

  return startHttpService({
    '/authorisations': ({ body, key }) => {
      const { order_id, card, amount_cents } = body;
      if (mustFail(card, 'authorise', key)) return failureOf(card);
      if (card in REFUSED) return refusal(402, ...REFUSED[card]);
      return answer(
        201,
        ledger.get(key) ??
          ledger.put(key, {
            kind: 'authorisation',
            authorisation_id: `auth_${randomUUID()}`,
            order_id,
            card,
            card_country: COUNTRIES[card] ?? 'DE',
            amount_cents,
          }),
      );
    },

    '/captures': async ({ body, key, socket }) => {
      const { order_id, authorisation_id, amount_cents } = body;
      const authorisation = ledger.of('authorisation').find((entry) => entry.authorisation_id === authorisation_id);
      if (!authorisation) return refusal(404, 'no_authorisation', `there is no authorisation ${authorisation_id}`);
      if (authorisation.amount_cents < amount_cents) return refusal(409, 'amount_too_high', 'more than was authorised');

      const capture =
        ledger.get(key) ??
        ledger.put(key, {
          kind: 'capture',
          capture_id: `cap_${randomUUID()}`,
          order_id,
          authorisation_id,
          amount_cents,
        });
      // From here on, the money is taken, whether or not the caller receives the response.
      if (!mustFail(authorisation.card, 'capture', key)) return answer(201, capture);
      if (authorisation.card === 'tok_reset') return void socket.destroy();
      await sleep(TOO_SLOW_MS, undefined, { ref: false });
      return answer(201, capture);
    },
  });
}

function failureOf(card) {
  if (card === 'tok_busy') return answer(429, { message: 'slow down' }, { 'retry-after': '1' });
  if (card === 'tok_error') return answer(500, { message: 'internal error' });
  return undefined; // tok_hang: the connection stays open without a response
}
