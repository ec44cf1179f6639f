import type { Page } from 'playwright-core';
import { expect, it, vi } from 'vitest';
import { revokeKey } from '../../src/engine/credentials/api-keys.ts';
import { LOCAL_SECURITY } from '../../src/rest/auth/settings.ts';
import { template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { eachShopPage, openShop, type Shop } from './acting-shop.ts';
import { checkAccess, openScreen } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const ODD = 'a/b?c#d';
/** A key exists later, so that a server would require a credential. */
const NO_CREDENTIAL = { ...LOCAL_SECURITY.auth, required: 'never' as const };
const WORKER = 'shop/worker?1#a';

describeWith('chromium', 'the frame of the web page', () => {
  let shop: Shop;
  let page: Page;
  let problems: string[];
  let url: string;
  eachShopPage(
    (now) => {
      ({ shop, url, page, problems } = now);
    },
    { open: () => openShop('production', WORKER), security: { ...LOCAL_SECURITY, auth: NO_CREDENTIAL } },
  );

  const open = (path: string, heading: string) => openScreen(page, `${url}/${path}`, heading);
  const ended = async (name: string, status: string) => {
    const { taskUuid } = await shop.tasker.createTask({ namespace: 'test', name, context: {} });
    await until(
      () => shop.tasker.getTask(taskUuid),
      (task) => task.status === status,
    );
    return taskUuid;
  };

  it('a name with characters of addresses has a page, which its links reach', async () => {
    await shop.tasker.registerTemplates(template({ [ODD]: { handler: 'pay' } }, { name: ODD }));
    await open('templates', 'Templates');
    await page.getByRole('link', { name: ODD }).first().click();
    await page.getByRole('heading', { level: 1, name: `${ODD} 1.0.0`, exact: true }).waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Create a task' }).click();
    await page.getByRole('heading', { level: 1, name: 'Create a task', exact: true }).waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Create the task' }).click();
    await page.getByRole('heading', { level: 1, name: ODD, exact: true }).waitFor();
    await page.getByLabel(`${ODD}: Complete`).click();
    await page.reload();
    await page.getByRole('complementary', { name: `Step ${ODD}` }).waitFor();

    await open('workers', 'Workers');
    await page.getByRole('link', { name: WORKER, exact: true }).click();
    await page.getByRole('heading', { level: 1, name: WORKER }).waitFor();
    await page.reload();
    await page.getByRole('heading', { level: 1, name: WORKER }).waitFor();
    expect(problems).toEqual([]);
  });

  it('a mistyped address shows a page that names it, and other clients get the error of the API', async () => {
    for (const path of ['taks', 'tasks/7/steps', 'very/deep/nothing']) {
      const answer = await page.goto(`${url}/${path}`);
      await page.getByRole('heading', { level: 1, name: 'Page not found', exact: true }).waitFor();
      await page.getByText(`There is no page at /${path}`).waitFor();
      expect(answer!.status(), path).toBe(path.startsWith('tasks') ? 200 : 404);
    }
    await checkAccess(page);
    await page.getByRole('main').getByRole('link', { name: 'Home' }).click();
    await page.getByRole('heading', { level: 1, name: 'Home', exact: true }).waitFor();
    // The browser reports the status of the document.
    expect(problems.filter((text) => !text.includes('404'))).toEqual([]);
    for (const [path, accept] of [
      ['taks', 'application/json'],
      ['v1/taks', 'text/html'],
      ['files/none.js', 'text/html'],
    ] as const) {
      const answer = await fetch(`${url}/${path}`, { headers: { accept } });
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([
        path,
        404,
        expect.not.stringContaining('html'),
      ]);
    }
  });

  it('the login says why it is shown again after a key is revoked', async () => {
    const auth = { ...LOCAL_SECURITY.auth, required: 'always' as const };
    const secured = await shop.serve({ ...LOCAL_SECURITY, auth });
    const key = await shop.key('leaver', 'viewer');
    await page.goto(`${secured.url}/tasks`);
    await page.getByLabel('API key').waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    await page.getByLabel('API key').fill(key);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { level: 1, name: 'Tasks', exact: true }).waitFor();
    await revokeKey(shop.tasker.engine.database, 'leaver', { actor: 'tests' });
    await page
      .getByRole('alert')
      .getByText('You were logged out: the session has ended. Its key may have expired or been revoked.')
      .waitFor();
    await page.getByLabel('API key').fill(key);
    await page.getByRole('button', { name: 'Log in' }).click();
    await expect.poll(() => page.getByRole('alert').count()).toBe(1);
    await checkAccess(page);
    // A person who comes back later sees the same text.
    await page.reload();
    await page.getByRole('alert').getByText('the session has ended').waitFor();
  });

  it('Escape closes the step while its node in the graph has the focus, and a dialog first', async () => {
    const uuid = await ended('broken', 'blocked_by_failures');
    await open(`tasks/${uuid}`, 'broken');
    const node = page.getByRole('region', { name: 'Graph of broken' }).getByLabel('broken: Failed');
    const step = page.getByRole('complementary', { name: 'Step broken' });
    await node.focus();
    await page.keyboard.press('Enter');
    await step.waitFor();
    expect(await page.evaluate('document.activeElement.dataset.node')).toBe('broken');
    await page.keyboard.press('Escape');
    await step.waitFor({ state: 'detached' });

    await node.click();
    await step.getByRole('button', { name: 'Retry' }).first().click();
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await step.waitFor();
    await page.keyboard.press('Escape');
    await step.waitFor({ state: 'detached' });
    expect(problems).toEqual([]);
  });

  it('on a phone no screen scrolls sideways, and the environment stays visible', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    const uuid = await ended('broken', 'blocked_by_failures');
    await shop.tasker.retryTask(uuid, {
      actor: 'Ada',
      reason: 'a reason that is longer than the screen of a phone is',
    });
    for (const [path, heading] of [
      ['audit', 'Audit'],
      ['audit?view=bulk', 'Audit'],
      ['', 'Home'],
      ['tasks', 'Tasks'],
      [`tasks/${uuid}`, 'broken'],
      ['stats', 'Stats'],
    ] as const) {
      await open(path, heading);
      if (path === 'audit') await page.getByText('a reason that is longer').first().waitFor();
      const wide = () => page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(await wide(), path).toBeLessThanOrEqual(0);
      const box = await page.getByText('production', { exact: true }).boundingBox();
      expect(box!.x + box!.width, path).toBeLessThanOrEqual(390);
    }
    expect(problems).toEqual([]);
  });

  it('the accessible name of a button contains the text that it shows', async () => {
    await page.context().grantPermissions(['clipboard-write']);
    const uuid = await ended('pay', 'complete');
    await open(`tasks/${uuid}?view=data&step=pay`, 'pay');
    const copies = page.getByRole('region', { name: 'Copy as' });
    for (const name of ['command', 'curl', 'test']) {
      await copies.getByRole('button', { name: `Copy as ${name}` }).click();
      await copies.getByRole('button', { name: `Copied as ${name}` }).waitFor();
      await checkAccess(page);
    }
    await page.getByRole('button', { name: 'Copy the context' }).click();
    await page.getByRole('button', { name: 'Copied the context' }).waitFor();
    await checkAccess(page);
    expect(problems).toEqual([]);
  });
});
