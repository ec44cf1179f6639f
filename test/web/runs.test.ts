import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { checkAccess, type ServedPage, servePage, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const TEMPLATES = [
  template({ price: [], charge: { dependencies: ['price'], retry: { max_attempts: 1 } } }, { name: 'bill' }),
];
let refused = true;
const handlers = [
  defineHandler('price', { inputs: { qty: 'qty' } }, ({ qty, logger }) => {
    logger.info({ qty }, 'price computed');
    return { amount: 10 * Number(qty), currency: 'EUR' };
  }),
  defineHandler('charge', {}, ({ logger }) => {
    logger.warn({ bank: 'ACME' }, 'the bank is slow');
    logger.error('the card was refused');
    if (refused) throw new PermanentError('the card was refused', { errorType: 'refused' });
    return { paid: true };
  }),
];

describeWith('chromium', 'the runs of tasks on the web page', () => {
  let served: ServedPage;
  let tasker: Tasker;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    served = await servePage({ templates: TEMPLATES, handlers });
    tasker = served.tasker;
  });
  afterAll(() => served?.close());
  beforeEach(async () => {
    ({ page, problems } = await watchedPage(served.browser, served.server.url));
  });
  afterEach(() => page.context().close());

  const run = async (qty: number, fails: boolean) => {
    refused = fails;
    const { taskUuid } = await tasker.createTask({ namespace: 'test', name: 'bill', context: { qty } });
    await until(
      () => tasker.getTask(taskUuid),
      ({ status }) => status === (fails ? 'blocked_by_failures' : 'complete'),
    );
    return taskUuid;
  };

  it('a person searches in the logs of all steps of a task', async () => {
    const uuid = await run(1, true);
    await until(
      () => tasker.getTaskLogs(uuid),
      ({ lines }) => lines.length > 0,
    );
    await page.goto(`${served.server.url}/tasks/${uuid}`);
    await page.getByRole('tab', { name: 'Logs' }).click();
    const lines = page.getByRole('list', { name: 'Logs' }).getByRole('listitem');
    await expect.poll(() => lines.count()).toBe(2);
    await page.getByLabel('Search in the logs').fill('acme');
    await page.getByText('1 line found').waitFor();
    await lines.getByText('the bank is slow').waitFor();
    await page.waitForURL(/contains=acme/);
    await page.reload();
    await expect.poll(() => lines.count()).toBe(1);
    await checkAccess(page);
    await lines.getByRole('button', { name: 'charge' }).click();
    await page.getByRole('complementary', { name: 'Step charge' }).waitFor();
    await page.getByLabel('Search in the logs').fill('nothing like it');
    await page.getByText('No line contains nothing like it').waitFor();
    expect(problems).toEqual([]);
  });

  it('a retried task leads to its bulk action', async () => {
    const uuid = await run(1, true);
    const bulk = tasker.bulk.retry({ namespace: 'test', name: 'bill' }, { actor: 'Ada', reason: 'the bank is back' });
    await bulk.result();
    await until(
      () => tasker.getTask(uuid),
      ({ status }) => status === 'blocked_by_failures',
    );
    await page.goto(`${served.server.url}/tasks/${uuid}`);
    await page.getByRole('link', { name: /^reset by Ada$/ }).click();
    await page.waitForURL(/\/audit\?.*bulk=\d+/);
    const row = page.getByRole('table', { name: 'Audit' }).getByRole('row').filter({ hasText: 'the bank is back' });
    await row.first().waitFor();
    expect(problems).toEqual([]);
  });

  it('two tasks are compared side by side', async () => {
    const first = await run(1, true);
    const second = await run(2, false);
    await page.goto(`${served.server.url}/tasks?name=bill`);
    for (const uuid of [first, second]) {
      const row = page.getByRole('row').filter({ has: page.locator(`a[href*="${uuid}"]`) });
      await row.getByRole('checkbox').check();
    }
    await page.getByRole('region', { name: 'Selected tasks' }).getByRole('link', { name: 'Compare' }).click();
    await page.getByText('2 of 2 steps differ; the context is different').waitFor();
    expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({ one: first, other: second });
    const row = (name: string) => page.getByRole('table', { name: 'Steps' }).getByRole('row').filter({ hasText: name });
    await row('charge').getByText('state, error').waitFor();
    expect(await row('charge').getByText('Failed').count()).toBe(1);
    expect(await row('charge').getByText('Complete').count()).toBe(1);
    const price = page.getByRole('region', { name: 'Result of price' });
    expect(await price.textContent()).toMatch(/−.*removed.*"amount": 10.*\+.*added.*"amount": 20/s);
    await page.getByRole('region', { name: 'Context' }).getByText('"qty": 2').waitFor();
    await checkAccess(page);
    await page.emulateMedia({ colorScheme: 'dark' });
    await checkAccess(page);
    await page.getByRole('link', { name: 'First: bill 1.0.0' }).click();
    await page.waitForURL(new RegExp(`/tasks/${first}`));

    // A copy leads to the comparison with its original.
    const copy = await tasker.copyTask(first, { actor: 'Ada' });
    await tasker.waitForTask(copy.taskUuid);
    await page.goto(`${served.server.url}/tasks/${copy.taskUuid}`);
    await page.getByRole('link', { name: 'compare' }).click();
    await page.getByText('1 of 2 steps differs; the context is the same').waitFor();
    expect(problems).toEqual([]);
  });
});
