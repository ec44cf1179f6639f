import type { Page } from 'playwright-core';
import { expect, it, vi } from 'vitest';
import { until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { eachShopPage, type Shop } from './acting-shop.ts';
import { checkAccess } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

describeWith('chromium', 'the screens of events, schedules and roles', () => {
  let shop: Shop;
  let page: Page;
  let problems: string[];
  let url: string;
  eachShopPage((now) => {
    ({ shop, url, page, problems } = now);
  });

  it('an event shows its step and its task, and links to both', async () => {
    const { taskUuid } = await shop.tasker.createTask({ namespace: 'test', name: 'pay', context: {} });
    await until(
      () => shop.tasker.events.list({ taskUuid }),
      (events) => events.length > 0,
    );
    await page.goto(`${url}/events?name=order.paid`);
    const table = page.getByRole('table', { name: 'Events' });
    await table.getByRole('row').nth(1).waitFor();
    const heads = await table.getByRole('columnheader').allTextContents();
    const cell = (head: string) => table.getByRole('row').nth(1).getByRole('cell').nth(heads.indexOf(head));
    expect(await cell('Step').textContent()).toBe('pay');
    expect(await cell('Task').textContent()).toBe(`test/${taskUuid.slice(0, 8)}…${taskUuid.slice(-4)}`);
    await checkAccess(page);
    await cell('Task').getByRole('link').click();
    await page.waitForURL(new RegExp(`/tasks/${taskUuid}\\?view=events`));
    expect(problems).toEqual([]);
  });

  it('the catalogue has the events that tasker publishes itself', async () => {
    await page.goto(`${url}/events?view=catalogue`);
    await page.getByRole('table', { name: 'Catalogue' }).getByRole('link', { name: 'order.paid' }).waitFor();
    const table = page.getByRole('table', { name: 'Built-in events' });
    expect(await table.getByRole('link').allTextContents()).toEqual([
      'approval.requested',
      'approval.reminded',
      'approval.escalated',
      'approval.decided',
    ]);
    await checkAccess(page);
    expect(problems).toEqual([]);
  });

  it('the form of a schedule says in words when it is due, with the next times, while a person types', async () => {
    await page.goto(`${url}/schedules/new/form`);
    const form = page.getByRole('form', { name: 'Create a schedule' });
    const preview = form.getByRole('region', { name: 'Preview' });
    const times = preview.getByRole('list', { name: 'Next times' }).getByRole('listitem');
    await form.getByLabel('Time zone').fill('Europe/Berlin');
    await form.getByLabel('Cron expression').fill('30 9 * * 1-5');
    await preview.getByText('At 09:30 on weekdays, Europe/Berlin').waitFor();
    expect(await times.count()).toBe(5);
    for (const text of await times.allTextContents()) expect(text).toMatch(/^(Mon|Tue|Wed|Thu|Fri), .*09:30/);
    await form.getByRole('button', { name: 'First of the month' }).click();
    await preview.getByText('At 02:00 on the 1st of the month, Europe/Berlin').waitFor();
    expect(await form.getByLabel('Cron expression').inputValue()).toBe('0 2 1 * *');
    // A schedule that ends has only the times until then.
    await form.getByLabel('Start').fill('2999-01-01T00:00');
    await form.getByLabel('End').fill('2999-02-15T00:00');
    await expect.poll(() => times.count()).toBe(2);
    await checkAccess(page);
    await form.getByLabel('Repeats').selectOption('every');
    await form.getByLabel('Every').fill('90m');
    await preview.getByText('Every 90 minutes').waitFor();
    expect(problems).toEqual([]);
  });

  it('the preview of an interval that is edited counts from the creation of the schedule', async () => {
    const { schedules } = shop.tasker;
    await schedules.create({ name: 'hourly', template: 'test/pay@latest', every: '1h' });
    const { next } = await schedules.get('hourly');
    // Created 12 minutes ago: its due times are not those of an interval that begins now.
    const earlier = ['created_at', 'anchor', 'next_due'].map((column) => `${column} = ${column} - interval '12 min'`);
    await shop.sql(`update tasker.schedule set ${earlier.join(', ')} where name = 'hourly'`);
    await page.goto(`${url}/schedules/hourly/edit`);
    const form = page.getByRole('form', { name: 'Edit hourly' });
    const times = form.getByRole('list', { name: 'Next times' }).getByRole('listitem');
    const minutesOf = (at: number) => new Date(at).toISOString().slice(14, 16);
    const first = Date.parse(next[0]!) - 12 * 60_000;
    await form.getByLabel('Time zone').fill('UTC');
    expect((await times.allTextContents())[0]).toContain(`:${minutesOf(first)}`);
    await form.getByLabel('Every').fill('30m');
    await expect.poll(async () => (await times.allTextContents())[0]).toContain(`:${minutesOf(first - 30 * 60_000)}`);
    expect(problems).toEqual([]);
  });

  it('the form of a schedule shows what is wrong beside the field', async () => {
    await page.goto(`${url}/schedules/new/form`);
    const form = page.getByRole('form', { name: 'Create a schedule' });
    const send = form.getByRole('button', { name: 'Create the schedule' });
    await form.getByLabel('Name').fill('nightly');
    await form.getByLabel('Template').selectOption('test/pay@latest');
    expect(await send.isEnabled()).toBe(true);
    const says = async (label: string, wrong: string, problem: RegExp, right: string) => {
      const field = form.getByLabel(label);
      await field.fill(wrong);
      expect(await field.getAttribute('aria-invalid'), label).toBe('true');
      const note = page.locator(`[id="${await field.getAttribute('aria-describedby')}"]`);
      expect(await note.textContent()).toMatch(problem);
      expect(await send.isDisabled(), label).toBe(true);
      await field.fill(right);
      await expect.poll(() => send.isEnabled()).toBe(true);
    };
    await says('Cron expression', '0 9 * *', /^it has 4 fields; write 5 fields/, '0 9 * * *');
    await says('Time zone', 'Europe/Berln', /is not the name of a time zone; did you mean Europe\/Berlin\?/, 'UTC');
    await says('Jitter', 'soon', /must be a duration/, '');
    await says('Priority', '200', /must be a whole number from −100 to 100/, '');
    await says('Name', 'every night', /must contain only letters, digits/, 'nightly');
    await form.getByLabel('Start').fill('2999-01-02T00:00');
    await says('End', '2999-01-01T00:00', /must be after the start/, '2999-01-03T00:00');
    await checkAccess(page);
    await send.click();
    await page.getByRole('heading', { level: 1, name: 'nightly' }).waitFor();
    const { start } = await shop.tasker.schedules.get('nightly');
    expect(new Date(start!).getFullYear()).toBe(2999);
    expect(problems).toEqual([]);
  });

  it('the settings say in words what a role and a permission allow', async () => {
    await page.goto(`${url}/settings?view=roles`);
    await page
      .getByText('sees everything except sensitive data, the audit and the configuration, and changes nothing.')
      .waitFor();
    const table = page.getByRole('table', { name: 'Roles' });
    await table.getByRole('rowheader', { name: /^Approve and reject ?approvals:decide$/ }).waitFor();
    await checkAccess(page);
    expect(problems).toEqual([]);
  });
});
