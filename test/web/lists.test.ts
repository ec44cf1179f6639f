import { readFile } from 'node:fs/promises';
import type { Download, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildWebIfStale } from '../../scripts/build-web.mjs';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { createKey } from '../../src/engine/credentials/api-keys.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { type Listening, listen } from '../../src/server/listen.ts';
import { SECURED } from '../rest/auth/secured.ts';
import { freshDatabase, type Sql } from '../support/database.ts';
import { DEMO, template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { checkAccess, patient, startBrowser, watchedPage } from './served-page.ts';

/** More than a page of the list. */
const DECLINED = 52;
const EXPIRED = 3;
const CAUSE = 'certificate * has expired';

let mended = false;
const charge = defineHandler('charge', { inputs: { expired: 'expired' } }, ({ expired, context }) => {
  if (mended) return { charged: true };
  if (expired)
    throw new PermanentError(`certificate ${context.attempt}${Date.now()} has expired`, { errorType: 'certificate' });
  throw new PermanentError('=card declined, "politely"', { errorType: 'declined' });
});

let tasker: Tasker;
let sql: Sql;
let drop: () => Promise<void>;
let open: Listening;
let secured: Listening;
let viewer: string;

describeWith('chromium', 'the lists of the web page', () => {
  let browser: Awaited<ReturnType<typeof startBrowser>>;

  beforeAll(async () => {
    buildWebIfStale();
    const database = await freshDatabase();
    ({ sql, drop } = database);
    tasker = await createTasker({
      databaseUrl: database.url,
      templates: template({ charge: [] }),
      handlers: [charge],
      namespaces: ['test'],
      concurrency: 20,
      logger: silentLogger,
    });
    const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
    const address = { host: '127.0.0.1', port: 0 };
    // A key exists, so that a server would require a credential.
    const none = { ...SECURED, auth: { ...SECURED.auth, required: 'never' as const } };
    open = await listen(patient(restApp({ tasker, logger: silentLogger, facts, security: none })), address);
    secured = await listen(patient(restApp({ tasker, logger: silentLogger, facts, security: SECURED })), address);
    const key = { name: 'reader', roles: ['viewer'] };
    viewer = (await createKey(tasker.engine.database, key, { actor: 'tests' })).key;
    await tasker.createTasks([
      ...Array.from({ length: DECLINED }, (_, i) => ({ ...DEMO, context: { i }, tags: ['spring'] })),
      ...Array.from({ length: EXPIRED }, (_, i) => ({ ...DEMO, context: { i, expired: true } })),
    ]);
    await until(
      () => tasker.summarizeTasks(),
      ({ states }) => states.blocked_by_failures === DECLINED + EXPIRED,
    );
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await open?.close();
    await secured?.close();
    await tasker?.stop({ drainTimeoutMs: 100 });
    await drop?.();
  });

  const go = (page: Page, name: string) =>
    page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name, exact: true }).click();
  const counts = async () => (await tasker.summarizeTasks()).states;

  it('an export has the shown rows, or the rows of all pages, and no text in it is a formula', async () => {
    const { page, problems } = await watchedPage(browser, open.url);
    await page.goto(`${open.url}/tasks?error_type=declined`);
    await page.getByText(`${DECLINED} tasks`, { exact: true }).waitFor();
    const exported = async (choice: string) => {
      await page.getByRole('button', { name: 'Export', exact: true }).click();
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name: choice, exact: true }).click();
      return textOf(await download);
    };
    const shown = JSON.parse(await exported('The 50 shown JSON')) as { task_uuid: string }[];
    expect(shown.length).toBe(50);
    const lines = (await exported('All pages, up to 10,000 CSV')).trimEnd().split('\r\n');
    expect(lines.length).toBe(DECLINED + 1);
    expect(lines[0]).toContain('task_uuid,');
    const rows = new Set(lines.slice(1).map((line) => /[0-9a-f-]{36}/.exec(line)![0]));
    expect(rows.size).toBe(DECLINED);
    expect(shown.every(({ task_uuid: id }) => rows.has(id))).toBe(true);
    // The table of another screen, with a text that a spreadsheet would run.
    await page.goto(`${open.url}/errors`);
    await page.getByRole('button', { name: 'Export', exact: true }).waitFor();
    const csv = await exported('All 2 CSV');
    expect(csv).toContain(`"'=card declined, ""politely"""`);
    expect(problems).toEqual([]);
    await page.close();
  });

  it('every list can be read with a namespace chosen, and shows only what belongs to it', async () => {
    await tasker.registerTemplates(template({ charge: {} }, { namespace: 'other' }));
    for (const namespace of ['test', 'other']) {
      await tasker.schedules.create({ name: `of_${namespace}`, template: `${namespace}/demo@1.0.0`, every: '24h' });
      await tasker.pause({ namespace }, { actor: 'ann' });
    }
    const { page, problems } = await watchedPage(browser, open.url);
    for (const [address, route] of [
      ['approvals?', '/v1/approvals'],
      ['templates?', '/v1/templates'],
      ['schedules?', '/v1/schedules'],
      ['workers?', '/v1/workers'],
      ['queues?', '/v1/pauses'],
      ['dead-letters?', '/v1/dlq/entries'],
      ['events?view=groups&', '/v1/events/groups'],
      ['events?view=dead&', '/v1/events/dead'],
      ['audit?view=bulk&', '/v1/bulk-acts'],
    ]) {
      const answer = page.waitForResponse((response) => new URL(response.url()).pathname === route);
      await page.goto(`${open.url}/${address}namespace=test`);
      expect((await answer).status(), address).toBe(200);
    }
    await page.goto(`${open.url}/schedules?namespace=test`);
    await page.getByText('1 schedule', { exact: true }).waitFor();
    await page.goto(`${open.url}/queues?namespace=test`);
    await page.getByRole('table', { name: 'Pauses' }).getByRole('link', { name: 'test', exact: true }).waitFor();
    expect(await page.getByRole('table', { name: 'Pauses' }).getByRole('link').allTextContents()).toEqual(['test']);
    for (const namespace of ['test', 'other']) await tasker.resume({ namespace }, { actor: 'ann' });
    expect(problems).toEqual([]);
    await page.close();
  });

  it('a number that was counted up to a limit is shown with a plus', async () => {
    const { page, problems } = await watchedPage(browser, open.url);
    const bounded = async (route: Parameters<Parameters<Page['route']>[1]>[0]) => {
      const answer = await route.fetch();
      const text = (await answer.text())
        .replace(/"total_count":\d+/, '"total_count":10000')
        .replace(/"total":\d+/, '"total":10000')
        .replace(/"total_is_exact":true/, '"total_is_exact":false')
        .replace(/"ready":\d+/, '"ready":100000')
        .replace('"at_least":[]', '"at_least":["ready","paused"]');
      await route.fulfill({ response: answer, body: text });
    };
    await page.route(/\/v1\/(tasks|dlq\/entries|queues)(\?|$)/, bounded);
    for (const [address, text] of [
      ['tasks', '10,000+ tasks'],
      ['dead-letters', '10,000+ tasks to investigate, the most urgent first'],
      ['dead-letters?status=cancelled', '10,000+ dead letters'],
      ['queues', '100,000+ steps ready'],
    ] as const) {
      await page.goto(`${open.url}/${address}`);
      await page.getByText(text).first().waitFor();
    }
    await page.getByText('100,000+', { exact: true }).waitFor();
    await page.getByRole('cell', { name: '0+', exact: true }).waitFor();
    expect(problems).toEqual([]);
    // A request that is being changed would fail when the server closes.
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await page.close();
  });

  it('a saved view, the columns and the time zone are kept, and brushing the histogram filters by time', async () => {
    const { page, problems } = await watchedPage(browser, open.url);
    await page.goto(`${open.url}/tasks?tag=spring`);
    await page.getByRole('button', { name: 'Views', exact: true }).click();
    await page.getByLabel('Name of the view').fill('Spring <b>sale</b>');
    await page.reload();
    await page.getByRole('button', { name: 'Views', exact: true }).click();
    expect(await page.getByLabel('Name of the view').inputValue()).toBe('Spring <b>sale</b>');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.keyboard.press('Escape');

    const table = page.getByRole('table', { name: 'Tasks' });
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('checkbox', { name: 'Initiator' }).check();
    await page.keyboard.press('Escape');
    await table.getByRole('columnheader', { name: 'Initiator' }).waitFor();
    await table.getByRole('button', { name: 'Created' }).click();
    await page.waitForURL(/order=asc/);
    const created = table.getByRole('columnheader', { name: 'Created' });
    await expect.poll(() => created.getAttribute('aria-sort')).toBe('ascending');
    await page.getByLabel('Time zone').selectOption('Asia/Tokyo');
    await expect.poll(() => table.locator('time').first().getAttribute('title')).toMatch(/GMT\+9|JST|Japan/);
    await checkAccess(page);

    const bars = page.getByRole('region', { name: 'Tasks by time of creation' }).locator('svg');
    const box = (await bars.boundingBox())!;
    await page.mouse.move(box.x + 1, box.y + 10);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + 10, { steps: 3 });
    await page.mouse.up();
    await page.waitForURL(/created_before=/);
    const brushed = new URL(page.url()).searchParams;
    expect(Date.parse(brushed.get('created_after')!)).toBeLessThan(Date.parse(brushed.get('created_before')!));
    await page.getByText('Created after: ').waitFor();

    await page.goto(`${open.url}/tasks`);
    await table.getByRole('columnheader', { name: 'Initiator' }).waitFor();
    await page.getByRole('button', { name: 'Views', exact: true }).click();
    await page.getByRole('button', { name: 'Spring <b>sale</b>', exact: true }).click();
    await page.waitForURL(/tag=spring/);
    await page.getByRole('button', { name: 'Spring <b>sale</b>', exact: true }).first().click();
    await page.getByRole('button', { name: 'Delete the view Spring <b>sale</b>' }).click();
    await page.getByText('Save the filters and the order under a name.').waitFor();
    expect(problems).toEqual([]);
    await page.close();
  });

  it('a viewer sees the permission that each action needs, and changes nothing', async () => {
    await tasker.deadLetters.add((await firstTask('declined')).taskUuid, { actor: 'tests', reason: 'charged twice?' });
    const before = await audit();
    const { page, problems } = await watchedPage(browser, secured.url);
    await page.goto(`${secured.url}/errors`);
    await page.getByLabel('API key').fill(viewer);
    await page.getByRole('button', { name: 'Log in' }).click();
    // Before the login, the page sent a request that was rejected.
    await page.getByRole('heading', { level: 1, name: 'Errors' }).waitFor();
    problems.length = 0;
    const refuses = async (name: string | RegExp, permission: string) => {
      const button = page.getByRole('button', { name }).first();
      await button.waitFor();
      expect([name, await button.isDisabled(), await button.getAttribute('title')]).toEqual([
        name,
        true,
        `needs the permission ${permission}`,
      ]);
    };
    await refuses(/^Retry /, 'tasks:update');
    await refuses(/^Cancel /, 'tasks:update');
    await go(page, 'Tasks');
    await page.getByLabel('Select all tasks of this page').check();
    for (const verb of ['Retry', 'Cancel', 'Resolve', 'Delete']) {
      await refuses(new RegExp(`^${verb}$`), 'tasks:update');
    }
    await go(page, 'Dead letters');
    await page.getByRole('table', { name: 'Dead letters' }).getByRole('button', { name: 'demo' }).click();
    for (const verb of ['Redrive', 'Resolve', 'Give up', 'Assign', 'Add note'])
      await refuses(new RegExp(`^${verb}$`), 'dlq:update');
    await checkAccess(page);
    await go(page, 'Home');
    await refuses(/^Retry /, 'tasks:update');
    expect(problems).toEqual([]);
    // The server rejects the action as well.
    const body = { action: 'task_retry', filter: { error_type: 'declined' } };
    const status = await page.evaluate(
      async (text) =>
        (
          await fetch('v1/bulk-acts', {
            method: 'POST',
            headers: { 'content-type': 'application/json', 'x-tasker-csrf': '1' },
            body: text,
          })
        ).status,
      JSON.stringify(body),
    );
    expect(status).toBe(403);
    expect(await audit()).toEqual(before);
    await page.close();
  });

  it('a dead letter is assigned, noted and redriven, and an unsent note survives a reload', async () => {
    mended = true;
    const { page, problems } = await watchedPage(browser, open.url);
    await page.goto(`${open.url}/`);
    await page.getByRole('link', { name: 'dead letter waits for an investigation' }).click();
    await page.getByRole('table', { name: 'Dead letters' }).getByRole('button', { name: 'demo' }).click();
    const aside = page.getByRole('complementary', { name: 'Investigation' });
    await aside.getByText('charged twice?').waitFor();
    await aside.getByLabel('Assignee').fill('payments');
    await aside.getByRole('button', { name: 'Assign', exact: true }).click();
    await page.getByRole('cell', { name: 'payments' }).waitFor();
    await aside.getByRole('textbox', { name: 'Note' }).fill('once, says the bank');
    await page.reload();
    expect(await aside.getByRole('textbox', { name: 'Note' }).inputValue()).toBe('once, says the bank');
    await aside.getByRole('button', { name: 'Add note' }).click();
    await aside.getByText('1 note').waitFor();
    await page.getByLabel('Assigned to').selectOption('Nobody');
    await page.getByText('No dead letter matches').waitFor();
    await aside.getByRole('button', { name: 'Redrive' }).click();
    await page
      .getByRole('dialog', { name: 'Redrive the task' })
      .getByRole('button', { name: 'Redrive', exact: true })
      .click();
    await aside.getByText('Resolved by').waitFor();
    await aside.getByText('Complete').waitFor();
    expect(problems).toEqual([]);
    const [entry] = (await tasker.deadLetters.list({ status: 'all' }, { limit: 1 })).entries;
    expect(entry).toMatchObject({
      assignee: 'payments',
      currentState: 'complete',
      resolutionStatus: 'manually_resolved',
    });
    const { notes } = await tasker.deadLetters.get(entry!.dlqEntryUuid);
    expect(notes.map(({ note }) => note)).toEqual(['once, says the bank']);
    await page.close();
  });

  it('a person finds the tasks of a cause, retries the group, and watches it go green', async () => {
    const { page, problems } = await watchedPage(browser, open.url);
    await page.goto(`${open.url}/`);
    await go(page, 'Errors');
    await page.getByRole('link', { name: CAUSE }).click();
    await page.getByText(`${EXPIRED} tasks`, { exact: true }).waitFor();
    await page.goBack();
    const row = page.getByRole('listitem').filter({ hasText: CAUSE });
    await row.getByRole('img', { name: `${EXPIRED} failed in the last 24 hours` }).waitFor();
    await row.getByRole('button', { name: 'Details' }).click();
    await row.getByRole('link', { name: 'Open this task' }).waitFor();
    await checkAccess(page);
    await row.getByRole('button', { name: `Retry ${CAUSE}` }).click();
    const dialog = page.getByRole('dialog', { name: 'Retry all tasks of this cause' });
    await dialog.getByText(`${EXPIRED} tasks: ${EXPIRED} steps are run again`).waitFor();
    await dialog.getByLabel('Reason').fill('new certificate');
    await dialog.getByLabel('Your name').fill('Ada');
    await dialog.getByRole('button', { name: `Retry ${EXPIRED} tasks` }).click();
    await dialog.getByText(`${EXPIRED} of ${EXPIRED} tasks retried: done`).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await row.waitFor({ state: 'detached' });
    await page.goto(`${open.url}/tasks?context={"expired":true}`);
    await expect.poll(() => page.getByRole('cell', { name: 'Complete' }).count()).toBe(EXPIRED);
    expect(problems).toEqual([]);
    await expect.poll(counts).toMatchObject({ complete: EXPIRED + 1, blocked_by_failures: DECLINED - 1 });
    const acts = await sql(`select actor, reason from tasker.bulk`);
    expect(acts).toEqual([{ actor: 'Ada', reason: 'new certificate' }]);
    await page.close();
  });

  it('an action on all matching tasks shows their number and examples, and reaches exactly these tasks', async () => {
    const most = DECLINED - 1;
    const { page, problems } = await watchedPage(browser, open.url);
    await page.goto(`${open.url}/tasks`);
    await page.getByLabel('Select all tasks of this page').check();
    const bar = page.getByRole('region', { name: 'Selected tasks' });
    // An action without a condition would reach every task.
    expect(await bar.getByRole('button', { name: /that match$/ }).isDisabled()).toBe(true);
    await page.goto(`${open.url}/tasks?tag=spring&open=true`);
    await page.getByText(`${most} tasks`, { exact: true }).waitFor();
    await page.getByLabel('Select all tasks of this page').check();
    await bar.getByText('50 tasks selected').waitFor();
    await bar.getByRole('button', { name: `Select all ${most} that match` }).click();
    await bar.getByRole('button', { name: 'Cancel', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Cancel all tasks that match' });
    await dialog.getByText(`${most} tasks: the open steps are cancelled.`).waitFor();
    expect(await dialog.getByRole('listitem').count()).toBe(4);
    await checkAccess(page);
    // The preview changed nothing.
    expect(await counts()).toMatchObject({ blocked_by_failures: most });
    await dialog.getByRole('button', { name: `Cancel ${most} tasks` }).click();
    await dialog.getByText(`${most} of ${most} tasks cancelled: done`).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.getByText('No task matches').waitFor();
    expect(problems).toEqual([]);
    await expect.poll(counts).toEqual({ cancelled: most, complete: EXPIRED + 1 });
    await page.close();
  });

  it('the groups of states count the tasks that the list would show, however old they are', async () => {
    await sql(`update tasker.task_search set done_at = done_at - interval '2 days' where done_at is not null`);
    const { page, problems } = await watchedPage(browser, open.url);
    const groups = page.getByRole('navigation', { name: 'State' });
    const count = async (name: string) => (await groups.getByRole('link', { name }).textContent())?.replace(name, '');
    const ended = { Cancelled: DECLINED - 1, Complete: EXPIRED + 1 };
    for (const [address, expected] of [
      ['tasks', { All: DECLINED + EXPIRED, ...ended, Blocked: 0 }],
      ['tasks?tag=spring', { All: DECLINED, ...ended, Complete: 1 }],
      ['tasks?context={"expired":true}', { All: EXPIRED, Cancelled: 0, Complete: EXPIRED }],
      ['tasks?tag=spring&state=cancelled', { All: DECLINED, Cancelled: DECLINED - 1, Complete: 1 }],
      ['tasks?error_type=none', { All: 0, Cancelled: 0 }],
    ] as const) {
      await page.goto(`${open.url}/${address}`);
      for (const [name, number] of Object.entries(expected))
        await expect.poll(() => count(name), { message: `${address} ${name}` }).toBe(String(number));
    }
    expect(problems).toEqual([]);
    await page.close();
  });

  const firstTask = async (errorType: string) => (await tasker.listTasks({ errorType }, { limit: 1 })).tasks[0]!;
  const audit = () => sql('select count(*)::int n from tasker.operator_action');
});

async function textOf(download: Download): Promise<string> {
  return readFile(await download.path(), 'utf8');
}
