import { readdirSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildWebIfStale } from '../../scripts/build-web.mjs';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { type Listening, listen } from '../../src/server/listen.ts';
import { freshDatabase } from '../support/database.ts';
import { DEMO, template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { checkAccess, PATHS, startBrowser, watchedPage } from './served-page.ts';

const PREFIX = '/tools/tasker';

const MARKUP = '<img src=x onerror="document.title=1"> <script>document.title=2</script>';

/** Whether the card is refused. */
let refused = true;
const reserve = defineHandler('reserve', {}, () => ({ reserved: MARKUP }));
const charge = defineHandler('charge', {}, () => {
  if (refused) throw new PermanentError(`the bank refused ${MARKUP}`);
  return { charged: true };
});
const receipt = defineHandler('receipt', {}, () => ({ sent: true }));

let app: ReturnType<typeof restApp>;
let tasker: Tasker;
let dropDatabase: () => Promise<void>;
let server: Listening;

async function setUp(): Promise<void> {
  buildWebIfStale();
  const { url, drop } = await freshDatabase();
  dropDatabase = drop;
  tasker = await createTasker({
    databaseUrl: url,
    templates: template({ reserve: [], charge: ['reserve'], receipt: ['charge'] }),
    handlers: [reserve, charge, receipt],
    namespaces: ['test'],
    logger: silentLogger,
  });
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  app = restApp({ tasker, logger: silentLogger, facts });
  // A proxy that removes a path prefix.
  const behindPrefix = (request: Request) => {
    const { origin, pathname, search } = new URL(request.url);
    if (!pathname.startsWith(`${PREFIX}/`)) return app.fetch(request);
    return app.fetch(new Request(`${origin}${pathname.slice(PREFIX.length)}${search}`, request));
  };
  server = await listen({ fetch: behindPrefix }, { host: '127.0.0.1', port: 0 });
}

let ready: Promise<void> | undefined;
/** Starts the server at the first test that runs: without a browser, there may be no database either. */
const started = () => (ready ??= setUp());

afterAll(async () => {
  await server?.close();
  await tasker?.stop({ drainTimeoutMs: 100 });
  await dropDatabase?.();
});

const get = (path: string, headers: Record<string, string> = {}) => app.request(`http://localhost${path}`, { headers });

describe('the files of the page', () => {
  beforeAll(started);

  it('every screen has an address of its own, which a page of another site can neither frame nor extend', async () => {
    for (const path of ['', ...Object.values(PATHS), 'tasks/7', 'templates/shop/order/1.0.0', 'tasks/']) {
      const answer = await get(`/${path}`);
      expect(answer.status, path).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      const policy = answer.headers.get('content-security-policy');
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("script-src 'self';");
      expect(policy).not.toContain('unsafe');
      const base = /<base href="([^"]+)"/.exec(await answer.text())![1]!;
      expect(new URL(base, `http://localhost/${path}`).pathname, path).toBe('/');
    }
  });

  it('an unknown address, and a path that leaves the folder of the page, are not found', async () => {
    for (const path of [
      '/nothing',
      '/files/nothing.js',
      '/files/..%2f..%2fpackage.json',
      '/files/%2e%2e/index.html',
      '/index.html',
    ]) {
      expect((await get(path)).status, path).toBe(404);
    }
  });

  it('files with a hash in their name are cached for a year, and the document is validated each time', async () => {
    const document = await get('/tasks');
    expect(document.headers.get('cache-control')).toBe('no-cache');
    const script = /src="\.\/(files\/[^"]+)"/.exec(await document.text())![1]!;
    const file = await get(`/${script}`, { 'accept-encoding': 'br, gzip' });
    expect(file.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(file.headers.get('content-encoding')).toBe('gzip');
    for (const path of ['/tasks', `/${script}`]) {
      const etag = (await get(path)).headers.get('etag')!;
      expect((await get(path, { 'if-none-match': `W/${etag}, "other"` })).status).toBe(304);
      expect((await get(path, { 'if-none-match': '"other"' })).status).toBe(200);
    }
  });

  it('the first screen loads at most 300 KB of compressed JavaScript', () => {
    const folder = 'assets/web/files/';
    const scripts = readdirSync(folder).filter((name) => name.endsWith('.js.gz'));
    const later = scripts.filter((name) => name.startsWith('graph-'));
    expect(later.length).toBeGreaterThan(0);
    // All scripts except the graphs, which are more than any first screen loads.
    const sizes = scripts.filter((name) => !later.includes(name)).map((name) => statSync(folder + name).size);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(300 * 1024);
  });
});

describeWith('chromium', 'the web page in a browser', () => {
  let browser: Awaited<ReturnType<typeof startBrowser>>;
  beforeAll(async () => {
    await started();
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());

  it('a person finds a failed task, sees why, retries it, and watches it go green', async () => {
    refused = true;
    const { taskUuid } = await tasker.createTask({ ...DEMO, context: { note: MARKUP } });
    await until(
      () => tasker.getTask(taskUuid),
      ({ status }) => status === 'blocked_by_failures',
    );
    const { page, problems } = await watchedPage(browser, server.url);
    // Below a prefix, because then every relative address matters.
    await page.goto(`${server.url}${PREFIX}/`);
    await page.getByRole('link', { name: 'blocked by a failed step' }).click();
    await page.getByRole('table', { name: 'Tasks' }).getByRole('link', { name: 'demo' }).first().click();
    await page.getByRole('heading', { level: 1, name: 'demo' }).waitFor();
    await page.getByText('the bank refused <img').first().waitFor();
    for (const name of ['Graph', 'Timeline', 'Steps', 'History', 'Events', 'Data']) {
      await page.getByRole('tab', { name }).click();
    }
    await page.getByText('<script>').first().waitFor();
    await page.getByRole('tab', { name: 'Graph' }).click();
    await page.getByLabel('charge: Failed').click();
    await page.getByRole('complementary', { name: 'Step charge' }).getByText('not retryable').waitFor();
    await checkAccess(page);
    expect(await page.title()).not.toMatch(/^[12]$/);

    refused = false;
    await page.getByRole('button', { name: 'Retry', exact: true }).first().click();
    const dialog = page.getByRole('dialog', { name: 'Retry the task' });
    await dialog.getByLabel('Reason').fill('the bank is up again');
    await dialog.getByLabel('Your name').fill('Ada');
    await dialog.getByRole('button', { name: 'Retry 1 step' }).click();
    await page.getByLabel('receipt: Complete').waitFor();
    await page.getByRole('heading', { level: 1 }).locator('..').getByText('Complete').waitFor();
    expect(problems).toEqual([]);

    expect((await tasker.getTask(taskUuid)).status).toBe('complete');
    const act = (await tasker.getHistory(taskUuid)).find(({ kind }) => kind === 'operator');
    expect(act).toMatchObject({ who: 'Ada', why: 'the bank is up again' });
    await page.close();
  });

  it('every screen has its name as its only heading, and axe-core finds no serious problem', async () => {
    const { page, problems } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/`);
    const rail = page.getByRole('navigation', { name: 'Main' });
    for (const name of Object.keys(PATHS)) {
      await rail.getByRole('link', { name, exact: true }).click();
      await page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
      expect(await page.getByRole('heading', { level: 1 }).count(), name).toBe(1);
      await checkAccess(page);
    }
    // The same in the other color scheme.
    await page.emulateMedia({ colorScheme: 'dark' });
    await rail.getByRole('link', { name: 'Tasks', exact: true }).click();
    await page.getByRole('table', { name: 'Tasks' }).waitFor();
    await checkAccess(page);
    expect(problems).toEqual([]);
    await page.close();
  });

  it('keyboard shortcuts open the shortcut list and the palette, and the palette finds a task by id', async () => {
    const { taskUuid } = await tasker.createTask({ ...DEMO, context: {} });
    const { page, problems } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/settings`);
    await page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search or go to' }).fill(taskUuid);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'demo' }).waitFor();
    expect(page.url()).toContain(`/tasks/${taskUuid}`);
    expect(problems).toEqual([]);
    await page.close();
  });
});
