import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { PermanentError, RetryableError } from '../../src/index.ts';
import { type TestHandler, type TestTasker, testTasker } from '../../src/testing/index.ts';

const order = {
  order_id: 'KK-1',
  customer: { name: 'Ada', email: 'ada@example.com' },
  address: { street: 'Hauptstr. 1', postcode: '10115', city: 'Berlin', country: 'DE' },
  lines: [{ sku: 'MUG', quantity: 2, unit_cents: 1000 }],
  shipping_cents: 500,
  total_cents: 2500,
  card: 'tok_visa',
};

/** The services of the example, under the names that its handlers use. */
const services: Record<string, TestHandler> = {
  'orders.reserve_stock': () => ({ reservation_id: 'R-1' }),
  'orders.authorise_payment': () => ({ authorisation_id: 'A-1', card_country: 'DE' }),
  'orders.capture_payment': ({ inputData }) => ({ capture_id: 'C-1', amount_cents: inputData.total_cents }),
  'orders.ship_parcel': () => ({ tracking_number: 'T-1', carrier: 'DHL' }),
};

const kitOf = (stubs: Record<string, TestHandler> = {}) =>
  testTasker({
    templates: path.resolve('examples/orders/templates'),
    handlers: path.resolve('examples/orders/handlers'),
    stubs: { ...services, ...stubs },
    databaseUrl: inject('servers')[inject('postgres')]!,
  });

const request = (more: object = {}) => ({ idempotencyKey: JSON.stringify(more), context: { ...order, ...more } });

describe('the orders example with stubbed services', () => {
  let kit: TestTasker;
  beforeAll(async () => {
    kit = await kitOf();
  });
  afterAll(() => kit.stop());

  it('runs from the order to the mail', async () => {
    const { task, results } = await kit.run(request());
    expect(task.status).toBe('complete');
    expect(Object.keys(results)).toHaveLength(8);
    expect(results.write_invoice).toMatchObject({ invoice_number: expect.stringMatching(/^KK-2026/) });
  });

  it('rejects an order whose sum is wrong, before any service is called', async () => {
    const { task, errors, steps } = await kit.run(request({ total_cents: 1 }));
    expect(task.status).toBe('blocked_by_failures');
    expect(errors).toMatchObject({ validate_order: { error_type: 'business_rule', retryable: false } });
    expect(steps.reserve_stock!.attempts).toBe(0);
  });
});

it('a bank that is temporarily closed costs attempts but does not fail the order', async () => {
  const kit = await kitOf({
    'orders.capture_payment': ({ retryCount }) => {
      if (retryCount < 3) throw new RetryableError('payments answered 503');
      return { capture_id: 'C-1', amount_cents: 2500 };
    },
  });
  const { task, steps } = await kit.run(request());
  expect([task.status, steps.capture_payment!.attempts]).toEqual(['complete', 4]);
  await kit.stop();
});

it('a warehouse without stock stops the steps after it, but not the parallel payment', async () => {
  const kit = await kitOf({
    'orders.reserve_stock': () => {
      throw new PermanentError('only 1 left', { errorType: 'business_rule', errorCode: 'out_of_stock' });
    },
  });
  const { errors, steps } = await kit.run(request());
  expect(Object.keys(errors)).toEqual(['reserve_stock']);
  expect([steps.check_fraud!.currentState, steps.capture_payment!.currentState]).toEqual(['complete', 'pending']);
  await kit.stop();
});
