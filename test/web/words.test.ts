import type { Page } from 'playwright-core';
import { expect, it, vi } from 'vitest';
import { template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { eachShopPage, type Shop } from './acting-shop.ts';
import { checkAccess } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

describeWith('chromium', 'the words of the web page', () => {
  let shop: Shop;
  let page: Page;
  let problems: string[];
  let url: string;
  eachShopPage((now) => {
    ({ shop, url, page, problems } = now);
  });

  const open = async (name: string, reached: string) => {
    const { taskUuid } = await shop.tasker.createTask({ namespace: 'test', name, context: {} });
    await until(
      () => shop.tasker.getTask(taskUuid),
      ({ status }) => status === reached,
    );
    await page.goto(`${url}/tasks/${taskUuid}`);
    return { taskUuid, why: page.getByRole('region', { name: 'Why' }) };
  };

  it('a task that waits for an approval has the buttons and the form, and its command is folded', async () => {
    const { taskUuid, why } = await open('approve', 'waiting');
    const command = why.getByText(`npx tasker approval approve ${taskUuid} decide`);
    await why.getByText('In a terminal').waitFor();
    expect(await command.isVisible()).toBe(false);
    expect(await why.getByText('vote:').count()).toBe(0);
    await why.getByText('In a terminal').click();
    await command.waitFor();
    await checkAccess(page);
    await why.getByRole('button', { name: 'Reject' }).waitFor();
    await why.getByRole('button', { name: 'Approve' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('limit').fill('50');
    await dialog.getByLabel('Your name').fill('Ada');
    await dialog.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByLabel('decide: Complete').waitFor();
    expect(problems).toEqual([]);
  });

  it('a task that waits for a signal has a form by the schema of the payload', async () => {
    const payload = {
      type: 'object',
      required: ['amount'],
      properties: { amount: { type: 'integer', minimum: 1 }, paid: { type: 'boolean' } },
    };
    const waits = { type: 'signal', handler: undefined, signal: { name: 'payment_received', schema: payload } };
    await shop.tasker.registerTemplates(template({ wait: waits }, { name: 'billing' }));
    const { why } = await open('billing', 'waiting');
    await why.getByRole('button', { name: 'Send signal' }).click();
    const dialog = page.getByRole('dialog', { name: 'Send the signal payment_received' });
    const send = dialog.getByRole('button', { name: 'Send the signal' });
    await dialog.getByLabel('amount').fill('0');
    expect(await send.isDisabled()).toBe(true);
    await dialog.getByLabel('amount').fill('70');
    await dialog.getByLabel('Your name').fill('Ada');
    await checkAccess(page);
    await send.click();
    await page.getByLabel('wait: Complete').click();
    await page.getByRole('complementary', { name: 'Step wait' }).getByText('70').first().waitFor();
    expect(problems).toEqual([]);
  });

  it('a task whose steps wait for a retry says when the first of them runs again', async () => {
    const steps = Object.fromEntries(['charge', 'notify'].map((name) => [name, { handler: 'flaky' }]));
    await shop.tasker.registerTemplates([
      template({ charge: steps['charge']! }, { name: 'retrying' }),
      template(steps, { name: 'retrying_twice' }),
    ]);
    const { taskUuid, why } = await open('retrying', 'waiting_for_retry');
    await why.getByText(/^Waits for the retry of charge in (1 h|\d\d min)$/).waitFor();
    expect(await why.locator('time').getAttribute('title')).toMatch(/20\d\d.*:\d\d:\d\d/);
    await page.getByLabel(/^charge: Retrying/).click();
    const step = page.getByRole('complementary', { name: 'Step charge' });
    await step.getByText(/^Attempt 2 of \d+ begins in (1 h|\d\d min)\.$/).waitFor();
    await checkAccess(page);
    await shop.tasker.cancelTask(taskUuid);

    const two = await open('retrying_twice', 'waiting_for_retry');
    await two.why.getByText(/^Waits for the retry of charge, notify, the first in (1 h|\d\d min)$/).waitFor();
    await shop.tasker.cancelTask(two.taskUuid);
    expect(problems).toEqual([]);
  });

  it('times in sentences are in words, with the exact time on hover', async () => {
    const { taskUuid, why } = await open('approve', 'waiting');
    // A pause changes no step.
    await why.getByText('In a terminal').waitFor();
    await shop.tasker.pause({ task: taskUuid }, { actor: 'Ada', reason: 'the bank is closed' });
    await why.getByText(/paused: this task by Ada (just now|\d+ s ago) \(the bank is closed\)/).waitFor();
    expect(await why.locator('time').getAttribute('title')).toMatch(/20\d\d.*:\d\d:\d\d/);
    expect(await why.textContent()).not.toMatch(/\dT\d/);
    await shop.tasker.cancelTask(taskUuid);
    expect(problems).toEqual([]);
  });

  it('the namespace, the tags and the initiator of a task lead to the tasks that share them', async () => {
    const { taskUuid } = await shop.tasker.createTask({
      namespace: 'test',
      name: 'pay',
      context: { order: 'O-17' },
      tags: ['vip & new'],
      initiator: 'till 7/b',
    });
    for (const [name, query] of [
      ['vip & new', { tag: 'vip & new' }],
      ['till 7/b', { initiator: 'till 7/b' }],
      ['test', { namespace: 'test' }],
    ] as const) {
      await page.goto(`${url}/tasks/${taskUuid}`);
      await page.getByRole('main').getByRole('link', { name, exact: true }).click();
      const row = page.getByRole('table', { name: 'Tasks' }).getByRole('row').filter({ hasText: 'pay' });
      // The context distinguishes tasks more than their tags do.
      await row.getByText('order O-17').waitFor();
      expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual(query);
    }
    expect(problems).toEqual([]);
  });

  it('the audit has words for ways and actions', async () => {
    const { taskUuid } = await open('broken', 'blocked_by_failures');
    await shop.tasker.deadLetters.add(taskUuid, { actor: 'Ada', reason: 'look at it' });
    await page.goto(`${url}/audit`);
    const row = page.getByRole('table', { name: 'Audit' }).getByRole('row').filter({ hasText: 'look at it' });
    await row.getByRole('cell', { name: /^dead letter/ }).waitFor();
    await row.getByRole('cell', { name: 'API and web page', exact: true }).waitFor();
    await page.getByRole('searchbox', { name: 'Action' }).fill('dead letter add');
    await page.waitForURL(/action=dlq_add/);
    await row.waitFor();
    expect(problems).toEqual([]);
  });
});
