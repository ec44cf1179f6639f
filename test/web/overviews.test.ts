import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import type { Statistics } from '../../src/client/contract.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { deferred, template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { checkAccess, openScreen, type ServedPage, servePage, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const once = { retry: { max_attempts: 1 } };
const TEMPLATES = [
  template({ pick: [], pack: ['pick'] }, { name: 'parcel' }),
  template({ pick: [], pack: ['pick'] }, { name: 'parcel', version: '1.1.0' }),
  template({ charge: once }, { name: 'bill' }),
  template({ refund: once }, { name: 'refund' }),
  template({ hold: [] }, { name: 'slow' }),
  template({ never: [] }, { name: 'unused' }),
];

const gate = deferred();
const handlers = [
  ...['pick', 'pack', 'never'].map((name) => defineHandler(name, {}, () => ({}))),
  defineHandler('charge', {}, () => {
    throw new PermanentError('the card was refused', { errorType: 'refused' });
  }),
  defineHandler('refund', {}, () => {
    throw new PermanentError('the account is closed', { errorType: 'closed' });
  }),
  defineHandler('hold', {}, async () => {
    await gate.promise;
    return {};
  }),
];

describeWith('chromium', 'the overviews of the web page', () => {
  let served: ServedPage;
  let tasker: Tasker;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    served = await servePage({ templates: TEMPLATES, handlers });
    tasker = served.tasker;
    const create = (name: string, version = '1.0.0') =>
      tasker.createTask({ namespace: 'test', name, version, context: {} });
    await Promise.all([
      create('parcel'),
      create('parcel', '1.1.0'),
      create('bill'),
      create('bill'),
      create('refund'),
      create('slow'),
    ]);
    await until(
      () => tasker.summarizeTasks(),
      ({ states }) => states.blocked_by_failures === 3 && states.complete === 2 && states.steps_in_process === 1,
    );
    await until(
      () => tasker.analytics({ since: '1h' }),
      ({ steps, tasks }) => steps.attempts >= 7 && tasks.ended === 2,
    );
  });
  afterAll(async () => {
    gate.resolve();
    await served?.close();
  });
  beforeEach(async () => {
    ({ page, problems } = await watchedPage(served.browser, served.server.url));
  });
  afterEach(() => page.context().close());

  const open = (path: string, heading: string) => openScreen(page, `${served.server.url}/${path}`, heading);

  it('the list of templates says how many tasks run and failed, when one last ran, and how long they take', async () => {
    await open('templates', 'Templates');
    const table = page.getByRole('table', { name: 'Templates' });
    const heads = await table.getByRole('columnheader').allTextContents();
    const row = (name: string) =>
      table.getByRole('row').filter({ has: page.getByRole('link', { name: `test/${name}`, exact: true }) });
    const cell = (name: string, head: string) => row(name).getByRole('cell').nth(heads.indexOf(head));
    await expect.poll(() => cell('slow', 'In progress').textContent()).toBe('1');
    const texts = (head: string) =>
      Promise.all(['parcel', 'bill', 'slow', 'unused'].map((name) => cell(name, head).textContent()));
    expect(await texts('In progress')).toEqual(['0', '0', '1', '0']);
    expect(await texts('Failed')).toEqual(['0', '2', '0', '0']);
    await expect.poll(() => cell('parcel', 'p95').textContent()).toMatch(/^[\d.]+ m?s$/);
    // The versions of a template are in one row, so the time names its version.
    await cell('parcel', 'p95').getByTitle('95 % of the tasks of version 1.0.0, which had the most tasks').waitFor();
    const lastRuns = await texts('Last run');
    for (const text of lastRuns.slice(0, 2)) expect(text).toMatch(/^(just now|.* ago)$/);
    // Its only attempt has not ended, and the other one has no task.
    expect(lastRuns.slice(2)).toEqual(['–', '–']);
    await checkAccess(page);
    await cell('bill', 'Failed').getByRole('link').click();
    await page.getByText('2 tasks', { exact: true }).waitFor();
    await page.getByText('Template: bill').waitFor();
    await page.getByText('State: Blocked or Failed').waitFor();
    await page.goBack();
    await cell('slow', 'In progress').getByRole('link').click();
    await page.getByText('1 task', { exact: true }).waitFor();
    expect(problems).toEqual([]);
  });

  it('errors are filtered by time, template and text, and an example has the frames of its error', async () => {
    await open('errors', 'Errors');
    const causes = page.getByRole('region', { name: 'Failed' }).getByRole('listitem');
    const filter = page.getByRole('form', { name: 'Filter the errors' });
    await expect.poll(() => causes.count()).toBe(2);
    await filter.getByLabel('Text of the error').fill('ACCOUNT');
    await filter.getByRole('button', { name: 'Search' }).click();
    await page.getByText('1 step failed for 1 cause').waitFor();
    await causes.getByRole('link', { name: 'the account is closed' }).waitFor();
    await filter.getByRole('button', { name: 'Clear' }).click();
    await expect.poll(() => causes.count()).toBe(2);

    await filter.getByLabel('Template').selectOption('bill');
    await page.getByText('2 steps failed for 1 cause').waitFor();
    expect(new URL(page.url()).searchParams.get('name')).toBe('bill');
    await page.reload();
    await causes.getByRole('button', { name: 'Details' }).click();
    const frames = causes.getByRole('list', { name: 'Frames' });
    await frames
      .getByText(/overviews\.test\.ts:\d+/)
      .first()
      .waitFor();
    await checkAccess(page);

    // All failures are recent.
    await filter.getByLabel('Time').selectOption('Last hour');
    await page.waitForURL(/updated_after=1h/);
    await page.getByText('2 steps failed for 1 cause').waitFor();
    await causes.getByRole('link', { name: 'the card was refused' }).first().click();
    await page.getByText('2 tasks', { exact: true }).waitFor();
    await page.getByText('Changed after: ').waitFor();
    await open('errors?updated_after=1h&name=unused', 'Errors');
    await page.getByText('No error matches').waitFor();
    expect(problems).toEqual([]);
  });

  it('the statistics lead to the errors behind their numbers, and the chart has bars for the whole period', async () => {
    await open('stats?hours=1', 'Stats');
    for (const [link, query] of [
      [page.locator('main > header').getByRole('link', { name: '3 tasks are blocked' }), {}],
      [page.getByRole('listitem').filter({ hasText: 'blocked by a failure' }).getByRole('link'), {}],
      [page.locator('dl').getByRole('link'), {}],
      [
        page
          .getByRole('table', { name: 'Steps' })
          .getByRole('row')
          .filter({ hasText: 'charge' })
          .getByRole('link', { name: '100 %' }),
        { namespace: 'test', name: 'bill' },
      ],
    ] as const) {
      await link.click();
      await page.getByRole('heading', { level: 1, name: 'Errors' }).waitFor();
      expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual(query);
      await page.goBack();
    }
    const { from, to, timeline } = (await (await fetch(`${served.server.url}/v1/stats?since=1h`)).json()) as Statistics;
    expect(timeline.length).toBeGreaterThan(1);
    const chart = page.getByRole('region', { name: 'Attempts' }).getByRole('figure');
    await chart.getByText(/–.*, a bar for \d+ min$/).waitFor();
    expect(Date.parse(to)).toBeGreaterThan(Date.parse(from));
    // A bar is filled, and a line is not.
    const pixels = (await page.evaluate(`(() => {
      const canvas = document.querySelector('figure canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) if (data[at + 1] > data[at] + 40 && data[at + 3] === 255) count += 1;
      return count;
    })()`)) as number;
    expect(pixels).toBeGreaterThan(200);
    await checkAccess(page);
    expect(problems.filter((text) => !text.includes('willReadFrequently'))).toEqual([]);
  });

  it('the palette finds schedules, causes and templates once, and has the actions of the open task', async () => {
    await tasker.schedules.create({ name: 'every-night', template: 'test/parcel@latest', every: '24h' });
    const palette = page.getByRole('dialog', { name: 'Search or go to' });
    const options = palette.getByRole('option');
    const search = async (text: string) => {
      await page.keyboard.press('Control+k');
      await palette.getByRole('combobox').fill(text);
    };
    await open('tasks', 'Tasks');
    await search('parcel');
    await options.filter({ hasText: 'test/parcel' }).first().waitFor();
    expect(await options.filter({ hasText: 'test/parcel' }).allTextContents()).toEqual([
      'test/parceltemplate, version 1.1.0',
    ]);
    await palette.getByRole('combobox').fill('create parcel');
    await options.filter({ hasText: 'Create a task of test/parcel' }).waitFor();
    await palette.getByRole('combobox').fill('every-night');
    await options.filter({ hasText: 'schedule of test/parcel@latest' }).waitFor();
    await palette.getByRole('combobox').fill('card refused');
    await options.filter({ hasText: '2 steps failed' }).waitFor();
    await checkAccess(page);
    await page.keyboard.press('Enter');
    await page.getByText('2 tasks', { exact: true }).waitFor();

    const [task] = await tasker.listTasks({ name: 'refund' });
    await open(`tasks/${task!.taskUuid}`, 'refund');
    await page.getByRole('region', { name: 'Why' }).getByRole('button', { name: 'Retry' }).waitFor();
    await page.keyboard.press('Control+k');
    for (const name of ['Retry the task', 'Pause the task', 'Resolve the task', 'Cancel the task'])
      await options.filter({ hasText: name }).waitFor();
    await palette.getByRole('combobox').fill('pause the task');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Pause the task' });
    await dialog.getByRole('button', { name: 'Pause the task' }).waitFor();
    await page.keyboard.press('Escape');
    // Another screen has other actions.
    await open('tasks', 'Tasks');
    await page.keyboard.press('Control+k');
    await options.first().waitFor();
    expect(await options.filter({ hasText: 'the task' }).count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('a queue has the ready steps of the last hour as bars', async () => {
    await served.sql('delete from tasker.queue_depth');
    await served.sql(
      `insert into tasker.queue_depth
       select now() - x * interval '1 minute', n.id, 10 * x, 0 from tasker.namespace n cross join generate_series(2, 40) x`,
    );
    await open('queues', 'Queues');
    const chart = page.getByRole('img', { name: 'at most 400 ready steps in the last hour' });
    await chart.waitFor();
    const bars = await chart.locator('rect').count();
    expect(bars).toBeGreaterThanOrEqual(39);
    expect(bars).toBeLessThanOrEqual(41);
    await checkAccess(page);
    expect(problems).toEqual([]);
  });
});
