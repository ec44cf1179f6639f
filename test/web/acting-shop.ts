import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { buildWebIfStale } from '../../scripts/build-web.mjs';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { createKey } from '../../src/engine/credentials/api-keys.ts';
import { BaseSubscriber } from '../../src/events/subscribing/base-subscriber.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError, RetryableError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import type { SecuritySettings } from '../../src/rest/auth/settings.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { type Listening, listen } from '../../src/server/listen.ts';
import { freshDatabase, type Sql } from '../support/database.ts';
import { template } from '../support/setup.ts';
import { patient, startBrowser, watchedPage } from './served-page.ts';

/** A script that runs only in a page that reads the text as markup. */
export const MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script>';

const INPUT = {
  type: 'object',
  required: ['customer', 'qty', 'lines', 'address'],
  properties: {
    customer: { type: 'string', minLength: 3, title: `Customer ${MARKUP}`, description: MARKUP },
    qty: { type: 'integer', minimum: 1, default: 2 },
    currency: { enum: ['EUR', 'USD'], default: 'EUR' },
    due: { type: 'string', format: 'date' },
    gift: { type: 'boolean' },
    lines: { type: 'array', items: { type: 'object', required: ['sku'], properties: { sku: { type: 'string' } } } },
    address: { type: 'object', required: ['city'], properties: { city: { type: 'string' } } },
    extra: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
};

const order = (version: string, steps: Parameters<typeof template>[0]) =>
  template(steps, { name: 'order', version, description: `An order ${MARKUP}`, input_schema: INPUT });

const TEMPLATES = [
  order('1.0.0', { check: [], pack: ['check'], send: ['pack'] }),
  order('1.1.0', { check: [], bill: { depends_on: ['check'], handler: 'check' }, send: ['check', 'bill'] }),
  template(
    {
      decide: {
        type: 'approval',
        handler: undefined,
        approval: {
          title: `Pay ${MARKUP}?`,
          quorum: 1,
          form: {
            type: 'object',
            required: ['limit'],
            properties: { limit: { type: 'integer', maximum: 100, description: MARKUP } },
          },
        },
      },
    },
    { name: 'approve' },
  ),
  template(
    { pay: { handler: 'pay', publishes_events: [{ name: 'order.paid', description: MARKUP, schema: {} }] } },
    { name: 'pay' },
  ),
  template({ broken: { handler: 'broken', retry: { max_attempts: 1 } } }, { name: 'broken' }),
];

class Warehouse extends BaseSubscriber {
  static override subscriberName = 'warehouse';
  received = 0;

  override subscribesTo() {
    return ['order.*'];
  }

  override handle() {
    this.received += 1;
  }
}

/** A shop whose data is full of markup, with servers for it. */
export interface Shop {
  tasker: Tasker;
  sql: Sql;
  /** How many events its subscriber has received. */
  received(): number;
  serve(security?: SecuritySettings): Promise<Listening>;
  key(name: string, role: string): Promise<string>;
  close(): Promise<void>;
}

export async function openShop(environment = 'test', worker = 'shop-worker'): Promise<Shop> {
  buildWebIfStale();
  const { url, sql, drop } = await freshDatabase();
  const warehouse = new Warehouse();
  const ok = (name: string) => defineHandler(name, {}, () => ({ note: MARKUP }));
  const tasker = await createTasker({
    databaseUrl: url,
    templates: TEMPLATES,
    handlers: [
      ...['check', 'pack', 'send', 'pay'].map(ok),
      defineHandler('broken', {}, () => {
        throw new PermanentError(MARKUP);
      }),
      defineHandler('flaky', {}, () => {
        throw new RetryableError('the bank is closed', { retryAfter: 3600 });
      }),
    ],
    subscribers: [warehouse],
    namespaces: ['test'],
    name: worker,
    logger: silentLogger,
  });
  tasker.door = 'rest';
  const servers: Listening[] = [];
  return {
    tasker,
    sql,
    received: () => warehouse.received,
    serve: async (security) => {
      const facts = { version: '1.2.3', environment, state: () => 'running' };
      const app = restApp({ tasker, logger: silentLogger, facts, ...(security && { security }) });
      const server = await listen(patient(app), { host: '127.0.0.1', port: 0 });
      servers.push(server);
      return server;
    },
    key: async (name, role) => (await createKey(tasker.engine.database, { name, roles: [role] }, {})).key,
    close: async () => {
      for (const server of servers) await server.close();
      await tasker.stop({ drainTimeoutMs: 100 });
      await drop();
    },
  };
}

/** A served shop, with the page of a test. */
export interface ShopPage {
  shop: Shop;
  browser: Browser;
  url: string;
  page: Page;
  /** The problems of the page. */
  problems: string[];
}

/** Opens and serves a shop for the tests of a suite, and a page for each of them. `use` receives both before each test. */
export function eachShopPage(
  use: (now: ShopPage) => void,
  { open = openShop, security }: { open?: () => Promise<Shop>; security?: SecuritySettings } = {},
): void {
  let shop: Shop;
  let browser: Browser;
  let url: string;
  let page: Page;
  beforeAll(async () => {
    shop = await open();
    ({ url } = await shop.serve(security));
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await shop?.close();
  });
  beforeEach(async () => {
    const watched = await watchedPage(browser, url);
    ({ page } = watched);
    use({ shop, browser, url, ...watched });
  });
  afterEach(() => page.context().close());
}
