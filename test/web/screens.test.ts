import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { MARKUP, openShop, type Shop } from './acting-shop.ts';
import { checkAccess, openScreen, startBrowser, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });
const WAIT = { timeout: 60_000, interval: 50 };

describeWith('chromium', 'the screens of the web page', () => {
  let shop: Shop;
  let browser: Browser;
  let page: Page;
  let problems: string[];
  let url: string;
  beforeAll(async () => {
    shop = await openShop();
    url = (await shop.serve()).url;
    browser = await startBrowser();
    ({ page, problems } = await watchedPage(browser, url));
  });
  afterAll(async () => {
    await browser?.close();
    await shop?.close();
  });

  const open = (path: string, heading: string) => openScreen(page, `${url}/${path}`, heading);
  /** Checks that stored markup is text, that no problem is reported, and that axe-core finds nothing serious. */
  const checkPage = async () => {
    await checkAccess(page);
    expect(await page.title()).not.toMatch(/^[12]$/);
    expect(problems).toEqual([]);
  };
  const act = async (from: Page | Locator, button: string, dialog: string, confirm: string) => {
    await from.getByRole('button', { name: button, exact: true }).click();
    const opened = page.getByRole('dialog', { name: dialog });
    await opened.getByRole('button', { name: confirm }).click();
    await opened.waitFor({ state: 'detached' });
  };

  it('a typed form creates a task, shows errors at their fields, and survives a reload', async () => {
    await open('templates', 'Templates');
    await page
      .getByRole('row', { name: /test\/order/ })
      .getByRole('button', { name: 'Create a task' })
      .click();
    const form = page.getByRole('form', { name: 'Create a task' });
    const customer = form.getByLabel(`Customer ${MARKUP}`);
    await customer.fill('ab');
    await form.getByLabel('qty').fill('0');
    await form.getByLabel('due').fill('2030-01-31');
    await form.getByLabel('gift').selectOption('Yes');
    await form.getByLabel('currency').selectOption('USD');
    await form.getByLabel('extra').fill('7.5');
    await form.getByRole('button', { name: 'Add to lines' }).click();
    await form.getByLabel('sku').fill('S-1');
    await form.getByRole('button', { name: 'Create the task' }).click();
    await page.getByText('The task was not created').waitFor();
    // The browser itself reports the response with status 400.
    expect(problems.splice(0)).toEqual([expect.stringContaining('status of 400')]);
    await expectError(customer, 'must NOT have fewer than 3 characters');
    await expectError(form.getByLabel('qty'), 'must be >= 1');
    await expectError(form.getByLabel('city'), 'is required');
    await checkPage();

    await page.reload();
    await customer.waitFor();
    expect([await customer.inputValue(), await form.getByLabel('sku').inputValue()]).toEqual(['ab', 'S-1']);
    await customer.fill(MARKUP);
    await form.getByLabel('qty').fill('3');
    await form.getByLabel('city').fill('Oslo');
    await form.getByLabel('Idempotency key').fill('form-1');
    await form.getByLabel('Tags').fill('from form, urgent');
    await form.getByRole('button', { name: 'Create the task' }).click();
    await page.getByRole('heading', { level: 1, name: 'order' }).waitFor();
    const uuid = page.url().split('/').at(-1)!;
    const task = await shop.tasker.getTask(uuid);
    expect(task).toMatchObject({ version: '1.1.0', tags: ['from form', 'urgent'] });
    expect(task.context).toEqual({
      customer: MARKUP,
      qty: 3,
      currency: 'USD',
      due: '2030-01-31',
      gift: true,
      extra: 7.5,
      lines: [{ sku: 'S-1' }],
      address: { city: 'Oslo' },
    });
    // The draft is gone, and the palette finds the task by its key.
    await open('templates/test/order/1.1.0/new', 'Create a task');
    expect(await customer.inputValue()).toBe('');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search or go to' }).fill('form-1');
    await page.getByRole('option', { name: /test\/order.*by key/ }).click();
    await page.waitForURL(`**/tasks/${uuid}`);
    expect(problems).toEqual([]);
  });

  it('a person compares two versions of a template, in the graph, as a list and as text', async () => {
    await open('templates/test/order/1.1.0', 'order 1.1.0');
    for (const tab of ['Steps', 'Input', 'YAML', 'Graph']) await page.getByRole('tab', { name: tab }).click();
    await page.getByLabel(/^check: p95/).waitFor();
    await page.getByRole('tab', { name: 'Compare' }).click();
    await page.getByLabel('pack: removed').waitFor();
    await page.getByLabel('bill: added').waitFor();
    await page.getByLabel('send: 1 change').waitFor();
    await page.getByLabel('check: the same').waitFor();
    const row = page.getByRole('table', { name: 'Changes' }).getByRole('row', { name: /steps.send/ });
    expect(await row.textContent()).toContain('["check","bill"]');
    await page.getByText('- name: bill').waitFor();
    await checkPage();
  });

  it('a person makes an earlier version of a template active, and the newer one again', async () => {
    const { tasker } = shop;
    const active = async () =>
      (await tasker.engine.templates.list()).find((row) => row.name === 'order' && row.active)!.version;
    for (const version of ['1.0.0', '1.1.0']) {
      await open(`templates/test/order/${version}`, `order ${version}`);
      await act(page, 'Activate', `Activate test/order@${version}`, 'Activate the version');
      await page.getByRole('button', { name: 'Activate', exact: true }).waitFor({ state: 'detached' });
      expect(await active()).toBe(version);
      await checkPage();
    }
    const { entries } = await tasker.audit({ action: 'activate' });
    expect(entries.map(({ target, toState }) => [target, toState])).toEqual([
      ['template test/order@1.1.0', '1.1.0'],
      ['template test/order@1.0.0', '1.0.0'],
    ]);
    await tasker.activateTemplate('test/order@latest');
  });

  it('a person approves in the inbox, with the form of the template', async () => {
    const { taskUuid } = await shop.tasker.createTask({ namespace: 'test', name: 'approve', context: {} });
    await open('approvals', 'Approvals');
    const inbox = page.getByRole('list', { name: 'Approvals' });
    await inbox.getByText(`Pay ${MARKUP}?`).waitFor();
    await act(inbox, 'Reassign', `Reassign "Pay ${MARKUP}?"`, 'Reassign');
    await inbox.getByRole('button', { name: 'Approve', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: `Approve "Pay ${MARKUP}?"` });
    await dialog.getByLabel('limit').fill('101');
    await dialog.getByLabel('Your name').fill('Ada');
    await dialog.getByLabel('Reason').fill('within budget');
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await dialog.getByText('must be <= 100').waitFor();
    expect(problems.splice(0)).toEqual([expect.stringContaining('status of 400')]);
    await checkPage();
    await dialog.getByLabel('limit').fill('99');
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('A step with type: approval').waitFor();
    expect((await shop.tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })).status).toBe('complete');
    const [approval] = (await shop.tasker.approvals.list({ task: taskUuid }, { limit: 1 })).approvals;
    expect(approval!.votes).toMatchObject([{ by: 'Ada', comment: 'within budget', form: { limit: 99 } }]);
    await checkPage();
  });

  it('a person creates a schedule, pauses it, triggers it, backfills it and edits it', async () => {
    await open('schedules', 'Schedules');
    await page.getByRole('button', { name: 'Create a schedule' }).first().click();
    const form = page.getByRole('form', { name: 'Create a schedule' });
    await form.getByLabel('Name').fill('new');
    await form.getByLabel('Template').selectOption('test/pay@latest');
    await form.getByLabel('Cron expression').fill('0 3 * * *');
    await form.getByLabel('Time zone').fill('UTC');
    await form.getByLabel('Description').fill(MARKUP);
    await checkPage();
    await form.getByRole('button', { name: 'Create the schedule' }).click();
    await page.getByRole('heading', { level: 1, name: 'new', exact: true }).waitFor();
    await page.getByText('at 03:00 every day, UTC').waitFor();
    await checkPage();
    await act(page, 'Pause', 'Pause new', 'Pause the schedule');
    expect((await shop.tasker.schedules.get('new')).state).toBe('paused');
    await act(page, 'Trigger', 'Trigger new', 'Create a task now');
    const [firing] = await shop.tasker.schedules.firings('new', { limit: 1 });
    expect(firing).toMatchObject({ cause: 'trigger', taskUuid: expect.any(String) });
    await act(page, 'Resume', 'Resume new', 'Resume the schedule');

    await page.getByRole('button', { name: 'Backfill' }).click();
    const dialog = page.getByRole('dialog', { name: 'Backfill new' });
    await dialog.getByLabel('From').fill('2020-01-01T00:30');
    await dialog.getByLabel('To').fill('2020-01-03T02:30');
    await dialog.getByRole('list', { name: 'Due times' }).getByRole('listitem').first().waitFor();
    const before = await shop.tasker.schedules.firings('new', { limit: 100 });
    const button = dialog.getByRole('button', { name: /^Create \d+ tasks?$/ });
    const planned = Number((await button.textContent())!.replace(/\D/g, ''));
    await button.click();
    await dialog.waitFor({ state: 'detached' });
    const after = await shop.tasker.schedules.firings('new', { limit: 100 });
    expect(after.length - before.length).toBe(planned);

    await page.getByRole('button', { name: 'Edit', exact: true }).click();
    const edit = page.getByRole('form', { name: 'Edit new' });
    await edit.getByLabel('Repeats').selectOption('every');
    await edit.getByLabel('Every').fill('1h');
    await edit.getByRole('button', { name: 'Save the changes' }).click();
    await page.getByRole('heading', { level: 1, name: 'new', exact: true }).waitFor();
    await page.getByText('every hour').first().waitFor();
    expect(await shop.tasker.schedules.get('new')).toMatchObject({
      cron: null,
      everyMs: 3_600_000,
      description: MARKUP,
    });
    await checkPage();
  });

  it('a person replays events to a group, and opens one', async () => {
    await shop.tasker.createTask({ namespace: 'test', name: 'pay', context: { again: true } });
    await vi.waitFor(() => expect(shop.received()).toBeGreaterThan(0), WAIT);
    await open('events?name=order.*', 'Events');
    await page.getByRole('table', { name: 'Events' }).getByRole('button', { name: 'order.paid' }).first().click();
    await page.getByText('<img src=x').first().waitFor();
    await checkPage();
    await page.getByRole('tab', { name: 'Catalogue' }).click();
    await page.getByRole('table', { name: 'Catalogue' }).getByRole('link', { name: 'order.paid' }).waitFor();
    await page.getByRole('tab', { name: 'Groups' }).click();
    const group = page.getByRole('row', { name: /warehouse/ });
    await until(
      () => shop.tasker.events.groups(),
      ([one]) => one?.waiting === 0,
    );
    const received = shop.received();
    await group.getByRole('button', { name: 'Replay' }).click();
    const dialog = page.getByRole('dialog', { name: 'Replay events' });
    await dialog.getByLabel('Events').fill('order.paid');
    await dialog.getByRole('button', { name: /^Replay \d+ event/ }).click();
    await dialog.waitFor({ state: 'detached' });
    await vi.waitFor(() => expect(shop.received()).toBeGreaterThan(received), WAIT);
    await page.getByRole('tab', { name: 'Dead deliveries' }).click();
    await page.getByText('No dead deliveries').waitFor();
    await checkPage();
  });

  it('a person drains a worker, resumes the worker, and pauses a namespace', async () => {
    await open('workers', 'Workers');
    await page.getByRole('link', { name: 'shop-worker' }).click();
    await act(page, 'Drain', 'Drain shop-worker', 'Drain the worker');
    await page.getByRole('button', { name: 'Resume', exact: true }).waitFor();
    expect((await shop.tasker.getWorker('shop-worker')).state).toMatch(/^drain/);
    await act(page, 'Resume', 'Resume shop-worker', 'Resume the worker');
    await page.getByRole('button', { name: 'Drain', exact: true }).waitFor();
    await checkPage();
    await open('queues', 'Queues');
    const queue = page.getByRole('row', { name: /^test/ });
    await act(queue, 'Pause', 'Pause test', 'Pause the namespace');
    await queue.getByText('Paused', { exact: true }).waitFor();
    expect(await shop.tasker.pauses()).toMatchObject([{ scope: 'namespace', target: 'test' }]);
    await act(queue, 'Resume', 'Resume test', 'Resume the namespace');
    await queue.getByRole('button', { name: 'Pause' }).waitFor();
    expect(await shop.tasker.pauses()).toEqual([]);
    await checkPage();
  });

  it('the audit shows these actions, and its filters are in the address', async () => {
    await open('audit', 'Audit');
    await page.getByLabel('Action', { exact: true }).fill('drain');
    const table = page.getByRole('table', { name: 'Audit' });
    await page.waitForURL('**/audit?action=drain');
    await vi.waitFor(async () => expect(await table.getByRole('row').count()).toBe(2), WAIT);
    await checkPage();
    await page.getByLabel('Who').fill('nobody');
    await page.getByRole('button', { name: 'Clear the filters' }).click();
    await page.waitForURL('**/audit');
    for (const view of ['health', 'retention', 'configuration', 'keys', 'roles', 'browser']) {
      await open(`settings?view=${view}`, 'Settings');
      await checkPage();
    }
  });
});

/** The description of a field contains the error. */
async function expectError(field: Locator, message: string): Promise<void> {
  expect(await field.getAttribute('aria-invalid')).toBe('true');
  const id = (await field.getAttribute('aria-describedby'))!;
  expect(await field.page().locator(`[id="${id}"]`).textContent()).toContain(message);
}
