import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { deferred, template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { checkAccess, type ServedPage, servePage, watchedPage } from './served-page.ts';

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

  const open = async (path: string, heading: string) => {
    await page.goto(`${served.server.url}/${path}`);
    await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
  };

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
});
