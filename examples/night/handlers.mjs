// The handlers of the shop. Three of them fail permanently during the night, and the bank is unavailable.
import { randomUUID } from 'node:crypto';
import { defineHandler, PermanentError, RetryableError } from 'tasker-core';

/** Returns the handlers that fail during the night, or with `fixed` the repaired handlers of the next morning. */
export function handlersOf({ fixed }) {
  return [
    defineHandler('reserve_stock', { inputs: { items: 'items' } }, ({ items }) => {
      // The bug: an order may have no items, for example a gift card.
      if (!fixed) return { first: items[0].sku };
      return { first: items[0]?.sku ?? null };
    }),
    defineHandler('charge_card', { inputs: { gateway: 'gateway' } }, ({ gateway, logger }) => {
      logger.info({ gateway }, 'charging the card');
      if (!fixed && gateway === 'gw-2') {
        logger.error({ gateway, expired: '2026-11-28T00:00:00Z' }, 'TLS handshake failed');
        throw new PermanentError(`gateway ${gateway} refused request ${randomUUID()}: its certificate has expired`, {
          errorType: 'certificate_expired',
        });
      }
      return { charged: true };
    }),
    defineHandler('send_receipt', { inputs: { country: 'country', orderId: 'order_id' } }, ({ country, orderId }) => {
      if (!fixed && country === 'DE') {
        throw new PermanentError(`order ${orderId}: there is no receipt for "${country}"`, {
          errorType: 'template_missing',
        });
      }
      return { sent: true };
    }),
    defineHandler('refund_card', { inputs: { orderId: 'order_id' } }, ({ orderId }) => {
      if (!fixed) {
        throw new RetryableError(`the bank answered 503 to the refund of ${orderId}`, {
          errorType: 'bank_unavailable',
          retryAfter: 1800,
        });
      }
      return { refunded: true };
    }),
  ];
}

/** The handler of the warehouse, whose worker is not started during the night. */
export const printLabel = defineHandler('print_label', {}, () => ({ printed: true }));
