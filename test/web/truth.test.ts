import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { checkAccess, openScreen, type ServedPage, servePage, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const TEMPLATES = [
  template({ Two_weeks: { type: 'timer', handler: undefined, timer: { for: '14d' } } }, { name: 'trial' }),
  template({ two_weeks: { type: 'timer', handler: undefined, timer: { for: '14d' } } }, { name: 'notice' }),
  template({ pick: [], pack: ['pick'] }, { name: 'parcel' }),
  template({ charge: { retry: { retryable: false } } }, { name: 'bill' }),
];

let charges = 0;
const HANDLERS = [
  defineHandler('pick', {}, () => ({})),
  defineHandler('pack', {}, () => {
    // Takes long enough to be measured.
    const end = performance.now() + 3;
    while (performance.now() < end);
    return {};
  }),
  defineHandler('charge', {}, () => {
    charges += 1;
    throw new PermanentError('the card was refused', { errorType: 'refused' });
  }),
];

describeWith('chromium', 'what the web page says', () => {
  let served: ServedPage;
  let tasker: Tasker;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    served = await servePage({ templates: TEMPLATES, handlers: HANDLERS }, 'production');
    tasker = served.tasker;
  });
  afterAll(() => served?.close());
  beforeEach(async () => {
    ({ page, problems } = await watchedPage(served.browser, served.server.url));
  });
  afterEach(() => page.context().close());

  const open = (path: string, heading: string) => openScreen(page, `${served.server.url}/${path}`, heading);
  const create = async (name: string, reached: string) => {
    const { taskUuid } = await tasker.createTask({ namespace: 'test', name, context: {} });
    await until(
      () => tasker.getTask(taskUuid),
      ({ status }) => status === reached,
    );
    return taskUuid;
  };
  const headText = () => page.locator('main > header').textContent();
  const headState = () => page.locator('header [aria-live]').textContent();

  it('a paused task is shown as paused in the list and on its page', async () => {
    const uuid = await create('trial', 'waiting');
    await tasker.pause({ task: uuid }, { actor: 'Ada' });
    await open('tasks?name=trial', 'Tasks');
    const row = page.getByRole('table', { name: 'Tasks' }).getByRole('row').filter({ hasText: 'trial' });
    await row.getByRole('cell', { name: 'Paused', exact: true }).waitFor();
    await open(`tasks/${uuid}`, 'trial');
    await expect.poll(headState).toBe('Paused');
    expect(await page.title()).toBe('trial, paused · tasker');

    // A failure needs a person in a pause, too.
    const failed = await create('bill', 'blocked_by_failures');
    await tasker.pause({ task: failed }, { actor: 'Ada' });
    await open(`tasks/${failed}`, 'bill');
    await expect.poll(headState).toBe('Blocked, paused');
    await tasker.resume({ task: uuid }, { actor: 'Ada' });
    await open(`tasks/${uuid}`, 'trial');
    await expect.poll(headState).toBe('Waiting');
    await tasker.cancelTask(failed);
    await tasker.cancelTask(uuid);
    expect(problems).toEqual([]);
  });

  it('a person sets the priority of a dead letter, which the list shows and is sorted by', async () => {
    for (const number of [1, 2]) {
      const uuid = await create('trial', 'waiting');
      await tasker.deadLetters.add(uuid, { actor: 'tests', reason: `letter ${number}` });
    }
    await open('dead-letters', 'Dead letters');
    const rows = page.getByRole('table', { name: 'Dead letters' }).locator('tbody').getByRole('row');
    const cell = (row: number) => rows.nth(row).getByRole('cell').nth(4).textContent();
    const { entries } = await tasker.deadLetters.list({}, {});
    expect(await cell(0)).toBe('0');
    await rows.nth(1).getByRole('button').click();
    const letter = page.getByRole('complementary', { name: 'Investigation' });
    const field = letter.getByLabel('Priority');
    const set = letter.getByRole('button', { name: 'Set' });
    expect(await field.inputValue()).toBe('0');
    for (const wrong of ['101', '1.5', '']) {
      await field.fill(wrong);
      expect(await set.isDisabled(), wrong).toBe(true);
    }
    await field.fill('7');
    await checkAccess(page);
    await set.click();
    await expect.poll(() => cell(0)).toBe('7');
    expect(await cell(1)).toBe('0');
    const [first] = (await tasker.deadLetters.list({}, {})).entries;
    expect(first).toMatchObject({ dlqEntryUuid: entries[1]!.dlqEntryUuid, priority: 7 });
    for (const { dlqEntryUuid } of entries) await tasker.deadLetters.resolve(dlqEntryUuid, {}, { actor: 'Ada' });
    await tasker.bulk.cancel({ namespace: 'test', name: 'trial' }).result();
    expect(problems).toEqual([]);
  });

  it('the statistics of all tasks and of a template name the blocked tasks beside the share that failed', async () => {
    await create('bill', 'blocked_by_failures');
    await create('parcel', 'complete');
    await until(
      () => tasker.analytics({ since: '1h', name: 'bill' }),
      ({ steps, open: now }) => steps.attempts >= 1 && now?.blocked === 1,
    );
    await open('stats?hours=1', 'Stats');
    const head = page.locator('main > header');
    await head.getByText(/ tasks? ended, 0 % of them failed; 1 task is blocked; \d+ attempts?$/).waitFor();
    const row = page.getByRole('table', { name: 'Templates' }).getByRole('row').filter({ hasText: 'test/bill' });
    await row.getByRole('link', { name: '1', exact: true }).click();
    await page.getByText('1 task', { exact: true }).waitFor();
    await page.getByText('Template: bill').waitFor();
    expect(new URL(page.url()).searchParams.get('state')).toBe('blocked_by_failures');

    await open('templates/test/bill/1.0.0', 'bill 1.0.0');
    await page.getByText('100 % of attempts failed').waitFor();
    await page.getByRole('link', { name: '1 task is blocked' }).click();
    await page.getByText('1 task', { exact: true }).waitFor();
    expect(problems).toEqual([]);
  });

  it('Home does not add tasks to other things', async () => {
    await create('bill', 'blocked_by_failures');
    await create('bill', 'blocked_by_failures');
    await tasker.pause({ template: 'test/trial' }, { actor: 'Ada' });
    const blocked = (await tasker.listTasks({ status: 'blocked_by_failures' })).length;
    for (const address of ['', '?namespace=test']) {
      await page.goto(`${served.server.url}/${address}`);
      await expect
        .poll(headText)
        .toContain(`${blocked} tasks are blocked by a failed step, and 1 other problem needs a person`);
    }
    await tasker.resume({ template: 'test/trial' }, { actor: 'Ada' });
    await page.goto(`${served.server.url}/`);
    await expect.poll(headText).toBe(`Home${blocked} tasks are blocked by a failed step`);
    expect(problems).toEqual([]);
  });

  it('a schedule shows the state of its last task in words', async () => {
    await tasker.schedules.create({ name: 'nightly', template: 'test/bill@1.0.0', every: '24h' });
    await tasker.schedules.trigger('nightly', { actor: 'Ada' });
    await until(
      () => tasker.schedules.get('nightly'),
      ({ last: [newest] }) => newest?.taskState === 'blocked_by_failures',
    );
    await open('schedules', 'Schedules');
    const row = page.getByRole('row').filter({ hasText: 'nightly' });
    await row.getByRole('cell', { name: 'Blocked', exact: true }).waitFor();
    expect(await row.getByText('Created').count()).toBe(0);
    await open('schedules/nightly', 'nightly');
    const last = page.getByRole('table', { name: 'Last times' }).getByRole('row').nth(1);
    await last.getByRole('cell', { name: 'Created', exact: true }).waitFor();
    await last.getByText('Blocked', { exact: true }).waitFor();
    expect(problems).toEqual([]);
  });

  it('the critical path and the timeline say how long a step waited and how long it ran', async () => {
    const uuid = await create('parcel', 'complete');
    // Delays the start of the second step by hours, and the record of its result by seconds.
    const delay = (hours: number, seconds: number) =>
      Promise.all(
        Object.entries({ step: 'done_at', history: 'ended_at' }).map(([table, end]) =>
          served.sql(
            `update tasker.${table} set started_at = started_at + $2 * interval '1 hour',
                    ${end} = ${end} + $2 * interval '1 hour' + $3 * interval '1 second'
              where task_uuid = $1 and idx = 1`,
            [uuid, hours, seconds],
          ),
        ),
      );
    await delay(59, 0);
    await open(`tasks/${uuid}`, 'parcel');
    const path = page.getByRole('region', { name: 'Critical path' });
    await path.getByText(/pack waited 2 d 11 h and ran [\d.]+ m?s, 100 % of it\./).waitFor();
    expect(await path.getByText('took').count()).toBe(0);

    // The worker held the step for longer than its handler ran.
    await delay(0, 12);
    await open(`tasks/${uuid}?view=timeline`, 'parcel');
    const row = page.getByRole('list', { name: 'Timeline' }).getByRole('listitem').filter({ hasText: 'pack' });
    const [, spent] = /pack (waited .* and ran [\d.]+ m?s), 100 %/.exec((await path.textContent()) ?? '') ?? [];
    expect(spent).toMatch(/^waited 2 d 11 h /);
    await row.getByText(spent!, { exact: true }).waitFor();
    expect(await row.locator('[title^="attempt 1"]').getAttribute('title')).toMatch(
      /^attempt 1 completed: ran [\d.]+ m?s, /,
    );
    expect(problems).toEqual([]);
  });

  it('a bulk retry runs the steps that it warns about, and reports it', async () => {
    await create('bill', 'blocked_by_failures');
    await create('bill', 'blocked_by_failures');
    const matched = (await tasker.listTasks({ status: 'blocked_by_failures' })).length;
    // The search tables are written shortly after the tasks.
    await until(
      () => tasker.summarizeTasks(),
      ({ failed }) => failed.steps === matched,
    );
    const before = charges;
    await open('errors', 'Errors');
    await page.getByRole('button', { name: 'Retry the card was refused' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`${matched} steps are run again`).waitFor();
    await dialog
      .getByText(
        `${matched} of these steps are run again although their template has retryable: false. The first run may have had an effect: check it first.`,
      )
      .waitFor();
    await checkAccess(page);
    await dialog.getByRole('button', { name: `Retry ${matched} tasks` }).click();
    await dialog.getByText(`${matched} of ${matched} tasks retried: done`).waitFor();
    await expect.poll(() => charges).toBe(before + matched);
    expect(problems).toEqual([]);
  });

  it('the name of a step is never changed, and one step is run again', async () => {
    const uuid = await create('trial', 'waiting');
    await open(`tasks/${uuid}`, 'trial');
    await page
      .getByRole('region', { name: 'Why' })
      .getByText(/^Two_weeks has waited/)
      .waitFor();
    for (const view of ['timeline', 'steps', 'history', 'events', 'data', 'graph']) {
      await open(`tasks/${uuid}?view=${view}&step=Two_weeks`, 'trial');
      await page.getByRole('complementary', { name: 'Step Two_weeks' }).waitFor();
      // biome-ignore lint/performance/useDomNodeTextContent: only innerText shows letters that CSS changes
      expect(await page.locator('main').innerText(), view).not.toMatch(/two_weeks|Two weeks|Two Weeks/);
    }
    await page.getByRole('button', { name: 'Fire now' }).first().click();
    await page.getByRole('dialog', { name: 'Fire Two_weeks now' }).waitFor();
    await page.keyboard.press('Escape');
    await tasker.fireTimer(uuid, 'Two_weeks', { actor: 'Ada' });
    await page.getByLabel('Two_weeks: Complete').waitFor();
    await page.getByRole('button', { name: 'Rerun from here' }).click();
    await page
      .getByRole('dialog', { name: 'Rerun from Two_weeks' })
      .getByText(/^1 step is run again, /)
      .waitFor();
    await page.keyboard.press('Escape');

    // A sentence begins with a capital letter, unless it begins with a name.
    const notice = await create('notice', 'waiting');
    await open(`tasks/${notice}`, 'notice');
    await page
      .getByRole('region', { name: 'Why' })
      .getByText(/^two_weeks has waited/)
      .waitFor();

    const failed = await create('bill', 'blocked_by_failures');
    await open(`tasks/${failed}`, 'bill');
    await page.getByRole('region', { name: 'Why' }).getByRole('button', { name: 'Retry' }).click();
    await page
      .getByRole('dialog', { name: 'Retry the task' })
      .getByText(/^1 step is run again with/)
      .waitFor();
    expect(problems).toEqual([]);
  });
});
