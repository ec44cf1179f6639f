import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/logging/logger.ts';
import { LOCAL_SECURITY } from '../../src/rest/auth/settings.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { listen } from '../../src/server/listen.ts';
import { Provider } from '../rest/auth/provider.ts';
import { template, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { eachShopPage, type Shop } from './acting-shop.ts';
import { checkAccess, openScreen, PATHS, patient, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

describeWith('chromium', 'the web page on a bad night', () => {
  let shop: Shop;
  let browser: Browser;
  let page: Page;
  let problems: string[];
  let url: string;
  eachShopPage((now) => {
    ({ shop, browser, url, page, problems } = now);
  });

  const open = (path: string, heading: string) => openScreen(page, `${url}/${path}`, heading);
  /** Returns the problems without the failed requests, which the browser reports as well. */
  const otherProblems = () => problems.splice(0).filter((text) => !/Failed to load resource|ERR_FAILED/.test(text));
  const broken = async () => {
    const { taskUuid } = await shop.tasker.createTask({ namespace: 'test', name: 'broken', context: {} });
    await until(
      () => shop.tasker.getTask(taskUuid),
      ({ status }) => status === 'blocked_by_failures',
    );
    return taskUuid;
  };

  it('before the first task, Home leads to the form of a template, which creates it', async () => {
    await open('', 'Home');
    const first = page.getByRole('list', { name: 'Templates to begin with' });
    await checkAccess(page);
    await first
      .getByRole('listitem')
      .filter({ hasText: 'test/pay' })
      .getByRole('button', { name: 'Create a task' })
      .click();
    await page.getByRole('button', { name: 'Create the task' }).click();
    await page.getByRole('heading', { level: 1, name: 'pay' }).waitFor();
    const uuid = new URL(page.url()).pathname.split('/').at(-1)!;
    expect((await shop.tasker.waitForTask(uuid, { timeoutMs: 60_000 })).status).toBe('complete');
    await expect.poll(() => page.title()).toBe('pay, complete · tasker');
    await open('', 'Home');
    await page.getByRole('region', { name: 'Last hour', exact: true }).waitFor();
    await expect.poll(() => first.count()).toBe(0);
    expect(await page.title()).toBe('Home · tasker');
    expect(problems).toEqual([]);
  });

  it('a lost connection and a lost database are shown with the time of the data, and recover without a reload', async () => {
    await open('workers', 'Workers');
    await page.getByRole('link', { name: 'shop-worker' }).waitFor();
    const live = page.getByRole('switch');
    const error = {
      error: { code: 'DATABASE_UNREACHABLE', message: 'the database does not respond; try again later' },
    };
    const faults = [
      ['The server does not answer. The page shows data of', (route) => route.abort()],
      [
        'The server has no data: the database does not respond; try again later. The page shows data of',
        (route) => route.fulfill({ status: 503, json: error }),
      ],
    ] as [string, Parameters<Page['route']>[1]][];
    for (const [text, fault] of faults) {
      await page.route('**/v1/**', fault);
      await page.getByText(text).waitFor();
      // A response that was on its way ends the outage for a moment.
      await expect.poll(() => live.getAttribute('aria-label')).toBe('Live: Reconnecting');
      // The data that the page has loaded stays visible.
      await page.getByRole('link', { name: 'shop-worker' }).waitFor();
      await checkAccess(page);
      await page.unrouteAll();
      await page.getByText(text).waitFor({ state: 'detached' });
      await expect.poll(() => live.getAttribute('aria-label')).toBe('Live');
    }
    expect(otherProblems()).toEqual([]);
  });

  it('a starting server and a screen that cannot be loaded are reported, and the page recovers from both', async () => {
    await page.route('**/api-docs/openapi.json', (route) => route.abort());
    await page.goto(`${url}/audit`);
    await page.getByRole('heading', { level: 1, name: 'Waiting for the server' }).waitFor();
    await page.unrouteAll();
    await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();

    await page.route('**/files/stats-*.js', (route) => route.abort());
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Stats' }).click();
    await page.getByRole('heading', { level: 1, name: 'This screen cannot be shown' }).waitFor();
    await checkAccess(page);
    // The other screens work.
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Audit' }).click();
    await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();
    await page.goBack();
    await page.unrouteAll();
    await page.getByRole('button', { name: 'Reload' }).click();
    await page.getByRole('heading', { level: 1, name: 'Stats' }).waitFor();
    problems.length = 0;
  });

  it('a stream that a busy server refused is requested again until it begins', async () => {
    let refusals = 0;
    const busy = { error: { code: 'BACKPRESSURE', message: '500 requests are in progress; try again in a second' } };
    await page.route('**/v1/stream', (route) =>
      refusals++ < 2 ? route.fulfill({ status: 503, headers: { 'retry-after': '1' }, json: busy }) : route.continue(),
    );
    const begun = page.waitForResponse((answer) => answer.url().endsWith('/v1/stream') && answer.status() === 200);
    await open('workers', 'Workers');
    await begun;
    expect(otherProblems()).toEqual([]);
  });

  it('the keyboard moves the focus to the content, along the rows, and back to its place before a dialog', async () => {
    const uuid = await broken();
    await open('tasks?state=blocked_by_failures', 'Tasks');
    const focused = (of = 'textContent') => page.evaluate(`document.activeElement.${of}`);
    await page.getByRole('link', { name: 'test/broken' }).first().waitFor();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    expect(await focused('tagName')).toBe('MAIN');
    await page.keyboard.press('j');
    expect(await focused()).toBe('test/broken');
    await page.keyboard.press('x');
    await page.getByText('1 task selected').waitFor();
    await page.keyboard.press('x');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'broken' }).waitFor();
    expect(page.url()).toContain(uuid);

    const retry = page.getByRole('region', { name: 'Why' }).getByRole('button', { name: 'Retry' });
    await retry.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Retry the task' }).waitFor();
    await page.keyboard.press('Escape');
    expect(await focused()).toBe('Retry');
    expect(problems).toEqual([]);
  });

  it('the reason of an action survives a reload until it is sent, and the steps are exported', async () => {
    const uuid = await broken();
    await open(`tasks/${uuid}?view=steps`, 'broken');
    const retry = page.getByRole('region', { name: 'Why' }).getByRole('button', { name: 'Retry' });
    const dialog = page.getByRole('dialog', { name: 'Retry the task' });
    await retry.click();
    await dialog.getByLabel('Reason').fill('the bank is up again');
    await page.reload();
    await retry.click();
    expect(await dialog.getByLabel('Reason').inputValue()).toBe('the bank is up again');
    await dialog.getByLabel('Your name').fill('Ada');
    await dialog.getByRole('button', { name: 'Retry 1 step' }).click();
    await dialog.waitFor({ state: 'detached' });
    const acts = await shop.sql(`select actor, reason from tasker.operator_action where task_uuid = '${uuid}'`);
    expect(acts).toMatchObject([{ actor: 'Ada', reason: 'the bank is up again' }]);
    await until(
      () => shop.tasker.getTask(uuid),
      ({ status }) => status === 'blocked_by_failures',
    );
    await retry.click();
    expect(await dialog.getByLabel('Reason').inputValue()).toBe('');
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Export', exact: true }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'All 1 JSON', exact: true }).click();
    const steps = JSON.parse(await readFile(await (await download).path(), 'utf8')) as { name: string }[];
    expect(steps.map(({ name }) => name)).toEqual(['broken']);

    const whole = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export the task', exact: true }).click();
    const document = JSON.parse(await readFile(await (await whole).path(), 'utf8')) as Record<string, unknown>;
    expect(document).toMatchObject({ task: { name: 'broken' }, omitted: [], steps: [{ name: 'broken' }] });
    expect(problems).toEqual([]);
  });

  it('a task is copied with another context, and the original does not change', async () => {
    const uuid = await broken();
    await open(`tasks/${uuid}`, 'broken');
    await page.getByRole('button', { name: 'Create a copy' }).click();
    const dialog = page.getByRole('dialog', { name: 'Copy the task' });
    await dialog.getByText('with the same context').waitFor();
    await dialog.getByLabel('Context').fill('{ "again": ');
    expect(await dialog.getByRole('button', { name: 'Create the copy' }).isDisabled()).toBe(true);
    await dialog.getByLabel('Context').fill('{ "again": true }');
    await dialog.getByText('with this context').waitFor();
    await dialog.getByLabel('Idempotency key').fill('copy-1');
    await checkAccess(page);
    await dialog.getByRole('button', { name: 'Create the copy' }).click();
    await page.waitForURL((address) => !address.pathname.endsWith(uuid));
    const copy = new URL(page.url()).pathname.split('/').at(-1)!;
    expect((await shop.tasker.getTask(copy)).context).toEqual({ again: true });
    expect((await shop.tasker.getTask(uuid)).context).toEqual({});
    expect(await shop.tasker.getCopies(uuid)).toEqual([copy]);
    expect(problems).toEqual([]);
  });

  it('all pauses are on one screen and resumed there, and a bulk action is found after its dialog was closed', async () => {
    const { tasker } = shop;
    const uuid = await broken();
    await tasker.pause({ task: uuid }, { actor: 'Ada', reason: 'the bank asked' });
    await tasker.pause({ template: 'test/pay@1.0.0' }, { actor: 'Bob', reason: 'wrong amounts' });
    await open('queues', 'Queues');
    const pauses = page.getByRole('table', { name: 'Pauses' });
    await pauses.getByRole('row', { name: /task.*Ada.*the bank asked/ }).waitFor();
    for (const [row, title] of [
      [/test\/pay@1.0.0 Bob wrong amounts/, 'Resume the template test/pay@1.0.0'],
      [/the bank asked/, `Resume the task ${uuid}`],
    ] as const) {
      await pauses.getByRole('row', { name: row }).getByRole('button', { name: 'Resume' }).click();
      const dialog = page.getByRole('dialog', { name: title });
      await dialog.waitFor();
      // It is inside of a cell, whose text is not wrapped.
      expect(await page.evaluate("getComputedStyle(document.querySelector('dialog')).whiteSpace")).toBe('normal');
      await dialog.getByRole('button', { name: /^Resume the/ }).click();
      await pauses.getByRole('row', { name: row }).waitFor({ state: 'detached' });
    }
    expect(await tasker.pauses()).toEqual([]);

    await open('tasks?name=broken&state=blocked_by_failures', 'Tasks');
    await page.getByLabel('Select all tasks of this page').check();
    await page.getByRole('region', { name: 'Selected tasks' }).getByRole('button', { name: 'Retry' }).click();
    const dialog = page.getByRole('dialog', { name: /^Retry / });
    await dialog.getByLabel('Reason').fill('after the call');
    await dialog.getByRole('button', { name: /^Retry \d+ tasks?/ }).click();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await open('audit?view=bulk', 'Audit');
    const acts = page.getByRole('table', { name: 'Bulk actions' });
    await acts.getByRole('row', { name: /task retry.*after the call/ }).waitFor();
    await checkAccess(page);
    await acts.getByRole('link', { name: 'task retry' }).first().click();
    await page.getByRole('table', { name: 'Audit' }).getByText('after the call').first().waitFor();
    expect(problems).toEqual([]);
  });

  it('on a small screen, no screen is wider than it, causes can be read, and a chosen step is in view', async () => {
    const uuid = await broken();
    await page.setViewportSize({ width: 390, height: 844 });
    for (const [name, path] of Object.entries(PATHS)) {
      await open(path, name);
      expect([name, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([name, 390]);
    }
    await open('errors', 'Errors');
    const cause = page.getByRole('listitem').filter({ hasText: 'onerror' }).getByRole('link').first();
    expect((await cause.boundingBox())!.width).toBeGreaterThan(150);
    await open(`tasks/${uuid}`, 'broken');
    await page.getByLabel('broken: Failed').click();
    const step = page.getByRole('complementary', { name: 'Step broken' });
    await expect.poll(async () => (await step.boundingBox())!.y).toBeLessThan(400);
    expect(problems).toEqual([]);
  });

  it('a person approves on the page of the task that waits', async () => {
    const { tasker } = shop;
    const { taskUuid } = await tasker.createTask({ namespace: 'test', name: 'approve', context: {} });
    await until(
      () => tasker.getTask(taskUuid),
      ({ status }) => status === 'waiting',
    );
    await open(`tasks/${taskUuid}?step=decide`, 'approve');
    const approval = page.getByRole('region', { name: 'Approval' });
    await approval.getByText('0 of 1 approval').waitFor();
    await checkAccess(page);
    await approval.getByRole('button', { name: 'Approve' }).click();
    const dialog = page.getByRole('dialog', { name: /^Approve/ });
    await dialog.getByLabel('limit').fill('7');
    await dialog.getByLabel('Your name').fill('Ada');
    await dialog.getByRole('button', { name: 'Approve' }).click();
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })).status).toBe('complete');
    const [found] = (await tasker.approvals.list({ task: taskUuid }, { limit: 1 })).approvals;
    expect(found!.votes).toMatchObject([{ by: 'Ada', form: { limit: 7 } }]);
    expect(problems).toEqual([]);
  });

  it('Settings shows the configuration that the server offers, and finds a key in it', async () => {
    const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
    const configuration = () => ({
      database: { url: 'postgresql://shop:***@db/shop', pool: { max_connections: 10 } },
      workers: { namespaces: ['shop', 'billing'], concurrency: 20, drain_timeout: '30s', threads: 2 },
      search: { enabled: true, lag: '2s' },
      orchestration: { web: { bind_address: '127.0.0.1:8080', enabled: true } },
    });
    const app = restApp({ tasker: shop.tasker, logger: silentLogger, facts, config: { configuration } });
    const server = await listen(patient(app), { host: '127.0.0.1', port: 0 });
    try {
      await page.goto(`${server.url}/settings?view=configuration`);
      const table = page.getByRole('table', { name: 'Configuration' });
      await table.getByRole('row', { name: 'database.url postgresql://shop:***@db/shop' }).waitFor();
      await table.getByRole('row', { name: 'workers.namespaces ["shop","billing"]' }).waitFor();
      await checkAccess(page);
      await page.keyboard.press('/');
      await page.keyboard.type('WEB.');
      await page.getByText('2 of 10 rows').waitFor();
      expect(await table.getByRole('row').count()).toBe(3);
    } finally {
      await server.close();
    }
  });

  it('a person logs in with the identity provider, and returns to the address that was opened', async () => {
    const provider = new Provider();
    await provider.start();
    provider.claims = { groups: ['night shift'] };
    const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
    let app: ReturnType<typeof restApp> | undefined;
    const server = await listen({ fetch: (request) => app!.fetch(request) }, { host: '127.0.0.1', port: 0 });
    const oidc = {
      issuer: provider.issuer,
      name: 'Shop',
      clientId: 'tasker',
      clientSecret: 'hush',
      scopes: ['openid'],
      publicUrl: server.url,
      allowHttp: true,
      subjectClaim: 'sub',
      rolesClaim: 'groups',
      roles: { 'night shift': 'operator' as const },
      namespacesClaim: undefined,
      sessionMs: 3_600_000,
    };
    const auth = { ...LOCAL_SECURITY.auth, required: 'always' as const, oidc };
    app = restApp({ tasker: shop.tasker, logger: silentLogger, facts, security: { ...LOCAL_SECURITY, auth } });
    try {
      await page.goto(`${server.url}/tasks?state=blocked_by_failures&name=broken`);
      const button = page.getByRole('button', { name: 'Log in with Shop' });
      await button.waitFor();
      await checkAccess(page);
      await button.click();
      await page.getByRole('heading', { level: 1, name: 'Tasks' }).waitFor();
      expect(page.url()).toBe(`${server.url}/tasks?state=blocked_by_failures&name=broken`);
      await page.getByText('Template: broken').waitFor();
      await page.getByText('ana', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Log out' }).click();

      // A person without a role reads why, and can try again.
      provider.claims = { groups: ['guests'] };
      await button.click();
      await page.getByRole('alert').getByText('ana has no role here').waitFor();
      await checkAccess(page);
      provider.claims = { groups: ['night shift'] };
      await button.click();
      await page.getByRole('button', { name: 'Log out' }).waitFor();
    } finally {
      await server.close();
      await provider.stop();
    }
  });

  it('Home lists the approvals that the status counts, even if the list of approvals cannot be read', async () => {
    await page.route('**/v1/status', async (route) => {
      const answer = await route.fetch();
      const { attention, ...status } = (await answer.json()) as { attention: Record<string, unknown> };
      await route.fulfill({ response: answer, json: { ...status, attention: { ...attention, approvals: 24 } } });
    });
    await page.route('**/v1/approvals?*', (route) => route.fulfill({ status: 403, json: {} }));
    await open('', 'Home');
    await page.getByRole('link').filter({ hasText: '24' }).filter({ hasText: 'tasks wait for a decision' }).waitFor();
    otherProblems();
  });

  it('Home says for one namespace and for all what it cannot read, and never that nothing needs you', async () => {
    const { page, problems } = await watchedPage(browser, url);
    for (const [address, path, what] of [
      ['', '**/v1/status', 'the status'],
      ['?namespace=test', '**/v1/queues?*', 'the workers, schedules, timers and approvals'],
      ['?namespace=test', '**/v1/dlq/entries?*', 'the dead letters'],
      ['?namespace=test', '**/v1/pauses?*', 'the pauses'],
      ['?namespace=test', '**/v1/summary?*', 'the summary of tasks'],
    ] as const) {
      const fault = { error: { code: 'INTERNAL', message: 'the disk is full' } };
      await page.route(path, (route) => route.fulfill({ status: 500, json: fault }));
      await page.goto(`${url}/${address}`);
      await page.getByText(`Could not read ${what}: the disk is full`).waitFor();
      expect(await page.getByText('Nothing needs you').count()).toBe(0);
      expect(await page.getByText('Everything is moving').count()).toBe(0);
      await page.unrouteAll();
    }
    await checkAccess(page);
    expect(problems.filter((text) => !text.includes('Failed to load resource'))).toEqual([]);
    await page.context().close();
  });

  it('Home lists what is late, stale, dead or paused, for one namespace as for all, with a plus for a lower bound', async () => {
    const { page, problems } = await watchedPage(browser, url);
    const { tasker, sql } = shop;
    const { taskUuid } = await tasker.createTask({
      namespace: 'test',
      name: 'pay',
      context: {},
      startAt: '2050-01-01T00:00:00Z',
    });
    await tasker.pause({ template: 'test/pay' }, { actor: 'ann', reason: 'stock-taking' });
    await sql(
      `insert into tasker.task_watch (task_uuid, check_at, rule, minutes, since, noted_at)
       values ($1, now() + interval '1 day', 'max_duration_minutes', 1, now(), now())
       on conflict (task_uuid) do update set check_at = excluded.check_at, rule = excluded.rule, minutes = 1, since = now(), noted_at = now()`,
      [taskUuid],
    );
    // The worker of the shop would end a late wait at once.
    const late = async (route: Parameters<Parameters<Page['route']>[1]>[0]) => {
      const answer = await route.fetch();
      const text = (await answer.text()).replaceAll('"late_timers":0', '"late_timers":1');
      await route.fulfill({ response: answer, body: text.replaceAll('"late_schedules":0', '"late_schedules":2') });
    };
    await page.route('**/v1/status', late);
    await page.route('**/v1/queues?*', late);
    await sql(
      `insert into tasker.event_dead (group_id, id, task_uuid, attempts, error) select -1, i, $1, 3, 'no' from generate_series(1, 10001) i`,
      [taskUuid],
    );
    try {
      for (const address of ['?namespace=test', '']) {
        await open(address, 'Home');
        const row = (text: string) => page.getByRole('link').filter({ hasText: text });
        await page.goto(`${url}/${address}`);
        await row('1task exceeds a limit of its lifecycle').waitFor();
        await row('1timer is late').waitFor();
        await row('2schedules are late').waitFor();
        await row('1pause holds steps back').waitFor();
        const deliveries = address === '' ? '10,001events' : '10,000+events';
        await row(`${deliveries} could not be delivered`).waitFor();
        expect(await page.getByText('Nothing needs you').count()).toBe(0);
        expect(await page.getByText(/Could not read/).count()).toBe(0);
        await checkAccess(page);
      }
      await page.goto(`${url}/?namespace=test`);
      await page.getByRole('link').filter({ hasText: '10,000+' }).waitFor();
      expect(problems).toEqual([]);
    } finally {
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await tasker.resume({ template: 'test/pay' }, { actor: 'ann' });
      await sql('delete from tasker.event_dead where group_id = -1');
      await tasker.cancelTask(taskUuid);
      await page.context().close();
    }
  });

  it('Queues lists the handlers that no live worker has, since when and for how many steps', async () => {
    const { tasker } = shop;
    await tasker.registerTemplates(template({ print: { handler: 'print' } }, { namespace: 'press', name: 'paper' }));
    await tasker.createTasks([1, 2].map((n) => ({ namespace: 'press', name: 'paper', context: { n } })));
    const about = { name: 'press-worker', host: 'h', pid: 1, namespaces: ['press'], callables: ['bind'] };
    await tasker.engine.registerWorker({ ...about, concurrency: 1, leaseMs: 600_000 });
    await open('queues', 'Queues');
    await page
      .getByRole('row', { name: /^press/ })
      .getByText(/no worker has print \(2 steps\), missing since \S/)
      .waitFor();
    await checkAccess(page);
    expect(problems).toEqual([]);
    await tasker.bulk.cancel({ namespace: 'press' }).result();
  });

  it('Home lists hung handlers and lost workers, for all namespaces and for one', async () => {
    const { engine } = shop.tasker;
    const register = (name: string, leaseMs: number) =>
      engine.registerWorker({ name, host: 'h', pid: 1, namespaces: ['test'], callables: [], concurrency: 4, leaseMs });
    const hung = await register('hung-worker', 600_000);
    await engine.heartbeat([hung], 600_000, { running: 2, hung: 2 });
    await register('lost-worker', 3_000);
    for (const address of ['', '?namespace=test']) {
      await open(address, 'Home');
      const rows = page.getByRole('link');
      await rows.filter({ hasText: 'slots are held by handlers that did not stop' }).filter({ hasText: '2' }).waitFor();
      await rows.filter({ hasText: 'worker was lost in the last hour' }).waitFor();
      expect(await page.getByText('Nothing needs you').count()).toBe(0);
    }
    await checkAccess(page);
    expect(problems).toEqual([]);
  });
});
