import { randomUUID } from 'node:crypto';
import { answer, refusal, startHttpService } from './http-service.mjs';

const EUROPE = new Set(
  'AT BE CH CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LT LU LV NL NO PL PT RO RS SE SK UA'.split(' '),
);

/**
 * Starts the warehouse. It reserves goods while they are in stock, and ships them. Like the payment service, it respects
 * idempotency keys, but it always responds.
 *
 * @param {import('./ledger.mjs').Ledger} ledger
 * @param {Map<string, {name: string, stock: number}>} catalogue by SKU
 */
export function startWarehouseService(ledger, catalogue) {
  const free = (sku) => {
    const held = ledger.of('reservation').flatMap((entry) => entry.lines.filter((line) => line.sku === sku));
    return (catalogue.get(sku)?.stock ?? 0) - held.reduce((sum, { quantity }) => sum + quantity, 0);
  };

  return startHttpService({
    '/reservations': ({ body, key }) => {
      const before = ledger.get(key);
      if (before) return answer(201, before);
      const { order_id, lines } = body;
      for (const { sku, quantity } of lines) {
        if (free(sku) >= quantity) continue;
        const name = catalogue.get(sku)?.name ?? sku;
        return refusal(409, 'insufficient_stock', `${quantity} × ${name}: the warehouse has too few`);
      }
      return answer(
        201,
        ledger.put(key, { kind: 'reservation', reservation_id: `res_${randomUUID()}`, order_id, lines }),
      );
    },

    '/shipments': ({ body, key }) => {
      const { order_id, reservation_id, country, parcels } = body;
      if (!ledger.of('reservation').some((entry) => entry.reservation_id === reservation_id)) {
        return refusal(404, 'no_reservation', `there is no reservation ${reservation_id}`);
      }
      const shipment = {
        kind: 'shipment',
        order_id,
        carrier: EUROPE.has(country) ? 'Road post' : 'Air post',
        tracking_number: `${country}${randomUUID().slice(0, 8).toUpperCase()}`,
        parcels,
      };
      return answer(201, ledger.get(key) ?? ledger.put(key, shipment));
    },
  });
}
