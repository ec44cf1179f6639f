import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { listOf } from '../engine/lists/list-of.ts';
import { DEMO, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { checkAccess, type ServedPage, servePage, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const handlers = [
  ...['start', 'ship'].map((name) => defineHandler(name, {}, () => ({}))),
  defineHandler('label', {}, ({ context }) => {
    const { sku } = context.inputData as { sku: string };
    if (sku === 'S4') throw new PermanentError(`no label for ${sku}`);
    return { code: `code of ${sku}` };
  }),
  defineHandler('pack', {}, () => ({})),
];
const templates = listOf([
  { name: 'label', handler: 'label', inputs: { sku: 'element.sku' }, retry: { max_attempts: 1 } },
  { name: 'pack', handler: 'pack', dependencies: ['label'] },
]);

describeWith('chromium', 'the elements of a list on the web page', () => {
  let served: ServedPage;
  let page: Page;
  let problems: string[];
  let blocked: string;
  let empty: string;

  beforeAll(async () => {
    served = await servePage({ templates: [templates], handlers });
    const create = async (count: number) => {
      const lines = Array.from({ length: count }, (_, i) => ({ sku: `S${i}` }));
      return (await served.tasker.createTask({ ...DEMO, context: { lines } })).taskUuid;
    };
    [blocked, empty] = await Promise.all([create(40), create(0)]);
    await until(
      () => served.tasker.getTask(blocked),
      ({ status }) => status === 'blocked_by_failures',
    );
    await served.tasker.waitForTask(empty);
  });
  afterAll(() => served?.close());
  beforeEach(async () => {
    ({ page, problems } = await watchedPage(served.browser, served.server.url));
  });
  afterEach(() => page.context().close());

  it('the graph has one node for each step of the elements, with their progress, and shows their grid', async () => {
    await page.goto(`${served.server.url}/tasks/${blocked}`);
    const bar = page.getByRole('progressbar', { name: 'Progress of each' });
    await expect.poll(() => bar.getAttribute('aria-valuetext')).toBe('39 of 40, 1 failed');
    await expect.poll(() => page.locator('[data-node]').count()).toBe(5);
    await page.getByRole('button', { name: 'Unfold label' }).click();
    await page.getByRole('button', { name: 'label[4] (S4): Failed' }).click();
    const drawer = page.getByRole('complementary', { name: 'label[4]' });
    await expect.poll(() => drawer.textContent()).toMatch(/no label for S4.*Element4 · S4/);
    await drawer
      .getByRole('list', { name: 'Steps of element 4' })
      .getByRole('button', { name: /pack\[4\]/ })
      .click();
    await page.getByRole('complementary', { name: 'pack[4]' }).waitFor();
    await checkAccess(page);
    expect(problems).toEqual([]);
  });

  it('a step of an element has the results of the same element as its input', async () => {
    await page.goto(`${served.server.url}/tasks/${blocked}?step=${encodeURIComponent('pack[7]')}`);
    const input = page.getByRole('region', { name: 'Input' });
    await expect.poll(() => input.textContent()).toContain('code of S7');
    expect(await input.textContent()).not.toContain('code of S8');
  });

  it('the drawer of a step of all elements lists the failed ones first, with their labels', async () => {
    await page.goto(`${served.server.url}/tasks/${blocked}?step=label`);
    const first = page.getByRole('list', { name: 'Elements of each' }).getByRole('listitem').first();
    await expect.poll(() => first.textContent()).toMatch(/Failedlabel\[4\]S4no label for S4/);
  });

  it('the critical path and the timeline count the time of the elements as that of their list', async () => {
    await page.goto(`${served.server.url}/tasks/${blocked}?view=timeline`);
    await expect
      .poll(() =>
        page
          .getByText(/^Critical path/)
          .locator('..')
          .textContent(),
      )
      .toContain('start → each');
    await page.goto(`${served.server.url}/tasks/${empty}?step=label`);
    await page.getByText('This step was not created: the list of each has no elements.').waitFor();
  });
});
