import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { untilTasksEnd } from '../../src/handlers/later.ts';
import { template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { checkAccess, type ServedPage, servePage, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const order = template(
  {
    price: [],
    invoice: { type: 'task', handler: undefined, template: 'invoice', dependencies: ['price'] },
    ship: ['invoice'],
  },
  { name: 'order' },
);
const invoice = template({ number: { retry: { max_attempts: 1 } } }, { name: 'invoice' });
const orders = template({ bill: [] }, { name: 'orders' });
const handlers = [
  defineHandler('bill', {}, async ({ context }) =>
    untilTasksEnd([await context.startTask('invoice', {}, { key: 'order O-7' })]),
  ),
  defineHandler('price', {}, () => ({ cents: 5 })),
  defineHandler('ship', {}, () => ({})),
  defineHandler('number', {}, () => {
    throw new PermanentError('the numbers are used up');
  }),
];

describeWith('chromium', 'child tasks on the web page', () => {
  let served: ServedPage;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    served = await servePage({ templates: [order, orders, invoice], handlers });
  });
  afterAll(() => served?.close());
  beforeEach(async () => {
    ({ page, problems } = await watchedPage(served.browser, served.server.url));
  });
  afterEach(() => page.context().close());

  it('a task shows the child that it waits for, and the child its parent', async () => {
    const { tasker, server } = served;
    const { taskUuid } = await tasker.createTask({ namespace: 'test', name: 'order', version: '1.0.0' });
    const [child] = await until(
      async () => (await tasker.getChildTasks(taskUuid)).children,
      ([one]) => one?.status === 'blocked_by_failures',
    );
    await page.goto(`${server.url}/tasks/${taskUuid}?step=invoice`);
    await page.getByText('1 child task, 1 open').waitFor();
    await page.getByText('the child task cannot continue: number failed permanently').first().waitFor();
    const listed = page.getByRole('region', { name: 'Child tasks' });
    await expect.poll(() => listed.textContent()).toMatch(/invoice 1\.0\.0\s*Blocked/);
    await checkAccess(page);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/parent.png` });
    await page.getByRole('link', { name: 'Open the child task' }).click();
    await page.getByRole('heading', { level: 1, name: 'invoice', exact: true }).waitFor();
    expect(page.url()).toContain(child!.taskUuid);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/child.png` });
    await page.getByRole('link', { name: 'order, step invoice' }).click();
    await page.getByRole('heading', { level: 1, name: 'order', exact: true }).waitFor();
    expect(new URL(page.url()).searchParams.get('step')).toBe('invoice');
    expect(problems).toEqual([]);
  });

  it('a step whose handler has started children shows them with their keys', async () => {
    const { tasker, server } = served;
    const { taskUuid } = await tasker.createTask({ namespace: 'test', name: 'orders', version: '1.0.0' });
    await until(
      async () => (await tasker.getChildTasks(taskUuid)).children,
      ([one]) => one?.status === 'blocked_by_failures' && one.awaited,
    );
    await page.goto(`${server.url}/tasks/${taskUuid}?step=bill`);
    const listed = page.getByRole('region', { name: 'Child tasks' });
    await expect.poll(() => listed.textContent()).toMatch(/invoice 1\.0\.0\s*Blocked\s*order O-7/);
    await page.getByText('for 1 child task').first().waitFor();
    await checkAccess(page);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/children.png` });
    await page.getByRole('link', { name: 'Open the child task' }).click();
    await page.getByRole('heading', { level: 1, name: 'invoice', exact: true }).waitFor();
    expect(problems).toEqual([]);
  });
});
