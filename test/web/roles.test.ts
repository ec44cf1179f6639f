import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { listKeys } from '../../src/engine/credentials/api-keys.ts';
import { type Permission, ROLE_PERMISSIONS, ROLES, type Role } from '../../src/model/permissions.ts';
import { LOCAL_SECURITY } from '../../src/rest/auth/settings.ts';
import { until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { MARKUP, openShop, type Shop } from './acting-shop.ts';
import { checkAccess, PATHS, startBrowser, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

interface Operation {
  'x-permission': string;
}

/** The screens, and those of their views that have actions. */
const SCREENS = { ...PATHS, Events: 'events?view=groups', Settings: 'settings?view=keys' };
/** Names of buttons that change something, wherever they are. */
const VERBS =
  /^(Retry|Cancel|Resolve|Rerun from here|Pause|Resume|Approve|Reject|Reassign|Trigger|Backfill|Delete|Drain|Replay|Redeliver|Discard|Create a (task|schedule|key)|Create the task|Rotate|Revoke)( |$)/;
/** An action that a screen shows once the screen is complete. */
const ACTS: Readonly<Record<string, string>> = {
  approvals: 'POST /v1/approvals/{task_uuid}/{step}/vote',
  templates: 'POST /v1/tasks',
  schedules: 'POST /v1/schedules/{name}/pause',
  'events?view=groups': 'POST /v1/events/replay',
  workers: 'POST /v1/workers/{name}/drain',
  queues: 'POST /v1/namespaces/{namespace}/pause',
  'settings?view=keys': 'POST /v1/auth/keys',
  'templates/test/order/1.0.0/new': 'POST /v1/tasks',
  'schedules/nightly': 'DELETE /v1/schedules/{name}',
  'workers/shop-worker': 'POST /v1/workers/{name}/drain',
};
const CHANGES = ['post', 'patch', 'delete'] as const;

describeWith('chromium', 'the web page and roles', () => {
  let shop: Shop;
  let browser: Browser;
  let url: string;
  let openApi: { paths: Record<string, Record<string, Operation>> };
  const keys = {} as Record<Role, string>;
  let blocked: string;
  beforeAll(async () => {
    shop = await openShop();
    const auth = { ...LOCAL_SECURITY.auth, required: 'always' as const };
    ({ url } = await shop.serve({ ...LOCAL_SECURITY, auth }));
    browser = await startBrowser();
    for (const role of ROLES) keys[role] = await shop.key(role, role);
    openApi = (await (await fetch(`${url}/api-docs/openapi.json`)).json()) as typeof openApi;
    const { tasker } = shop;
    await tasker.createTask({ namespace: 'test', name: 'approve', context: {} });
    ({ taskUuid: blocked } = await tasker.createTask({ namespace: 'test', name: 'broken', context: {} }));
    await tasker.schedules.create({ name: 'nightly', template: 'test/pay@1.0.0', cron: '0 2 * * *' });
    await until(
      () => tasker.getTask(blocked),
      ({ status }) => status === 'blocked_by_failures',
    );
    await until(
      () => tasker.approvals.list({}, { limit: 1 }),
      ({ approvals }) => approvals.length === 1,
    );
    await until(
      () => tasker.events.groups(),
      (groups) => groups.length === 1,
    );
  });
  afterAll(async () => {
    await browser?.close();
    await shop?.close();
  });

  const logIn = async (page: Page, key: string) => {
    await page.getByLabel('API key').fill(key);
    await page.getByRole('button', { name: 'Log in' }).click();
  };
  const enter = async (role: Role) => {
    const watched = await watchedPage(browser, url);
    await watched.page.goto(url);
    await logIn(watched.page, keys[role]);
    await watched.page.getByRole('heading', { level: 1, name: 'Home' }).waitFor();
    // The page learns from a rejection that it needs a credential.
    expect(watched.problems.splice(0).filter((text) => !text.includes('status of 401'))).toEqual([]);
    return watched;
  };

  it('a wrong key is rejected, and a valid key begins a session that scripts and other sites cannot use', async () => {
    const { page, problems } = await watchedPage(browser, url);
    const answer = await page.goto(`${url}/settings`);
    expect(answer!.headers()).toMatchObject({
      'x-frame-options': 'DENY',
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
    });
    await page.getByRole('heading', { level: 1, name: 'Log in to tasker' }).waitFor();
    await checkAccess(page);
    await logIn(page, `tsk_aaaaaaaa_${'x'.repeat(43)}`);
    await page.getByRole('alert').getByText('does not accept this credential').waitFor();
    await logIn(page, keys.viewer);
    // The address that the user opened first.
    await page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor();
    const [cookie, ...others] = await page.context().cookies();
    expect(others).toEqual([]);
    expect(cookie).toMatchObject({ name: 'tasker_session', httpOnly: true, sameSite: 'Strict', path: '/' });
    expect(cookie!.value).not.toContain(keys.viewer);
    const stored = await page.evaluate(
      'document.cookie + JSON.stringify([{ ...localStorage }, { ...sessionStorage }])',
    );
    expect(stored).not.toMatch(/tsk_|tasker_session/);
    expect(problems.filter((text) => !text.includes('status of 401'))).toEqual([]);

    const session = { cookie: `tasker_session=${cookie!.value}` };
    const status = async (headers: Record<string, string>) =>
      (await fetch(`${url}/v1/session`, { method: 'DELETE', headers: { ...session, ...headers } })).status;
    expect(await status({})).toBe(403);
    expect(await status({ 'x-tasker-csrf': '1', origin: 'https://evil.example' })).toBe(403);
    expect(await status({ 'x-tasker-csrf': '1', 'sec-fetch-site': 'cross-site' })).toBe(403);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { level: 1, name: 'Log in to tasker' }).waitFor();
    expect((await fetch(`${url}/v1/me`, { headers: session })).status).toBe(401);
    await page.context().close();
  });

  it.each(ROLES)('on every screen, only the actions that %s may perform are enabled', async (role) => {
    const { page, problems } = await enter(role);
    const allowed = new Set<string>(ROLE_PERMISSIONS[role]);
    const seen = new Set<string>();
    const rest: [heading: string, path: string][] = [
      ['order 1.0.0', 'templates/test/order/1.0.0'],
      ['Create a task', 'templates/test/order/1.0.0/new'],
      ['nightly', 'schedules/nightly'],
      ['Create a schedule', 'schedules/new/form'],
      ['shop-worker', 'workers/shop-worker'],
      ['broken', `tasks/${blocked}`],
    ];
    for (const [heading, path] of [...Object.entries(SCREENS), ...rest]) {
      await goTo(page, path);
      await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
      // The screen has its data: the actions of a list come with its rows.
      if (path in ACTS) await page.locator(`[data-act="${ACTS[path]}"]`).first().waitFor();
      const buttons = (await page.evaluate(`[...document.querySelectorAll('main button')].map((button) => ({
        name: button.getAttribute('aria-label') ?? button.textContent,
        route: button.getAttribute('data-act'),
        off: button.getAttribute('aria-disabled') === 'true' || button.disabled,
        title: button.title,
      }))`)) as { name: string; route: string | null; off: boolean; title: string }[];
      for (const { name, route, off, title } of buttons) {
        if (route !== null) {
          seen.add(route);
          const permission = permissionOf(route);
          const where = `${role} ${path} ${name}`;
          if (allowed.has(permission)) expect(title, where).not.toContain('needs the permission');
          else expect([off, title], where).toEqual([true, `needs the permission ${permission}`]);
        } else if (role === 'viewer' && VERBS.test(name)) {
          expect([off, title], `viewer ${path} ${name}`).toEqual([
            true,
            expect.stringContaining('needs the permission'),
          ]);
        }
      }
    }
    expect([...seen]).toEqual(expect.arrayContaining(Object.values(ACTS)));
    if (role === 'viewer') {
      await goTo(page, 'audit');
      await page.getByText('This needs the permission audit:read').waitFor();
      await goTo(page, 'schedules');
      // The keyboard can focus the button, but Enter does not open its dialog.
      await page.getByRole('button', { name: 'Pause' }).focus();
      await page.keyboard.press('Enter');
      expect(await page.getByRole('dialog').count()).toBe(0);
      await checkAccess(page);
    }
    expect(problems).toEqual([]);
    await page.context().close();
  });

  /** Shows another screen without loading the page again, as a link does. */
  const goTo = (page: Page, path: string) =>
    page.evaluate(
      `history.pushState({}, '', ${JSON.stringify(`/${path}`)}); dispatchEvent(new PopStateEvent('popstate'))`,
    );
  const permissionOf = (route: string) => {
    const [method = '', path = ''] = route.split(' ');
    return openApi.paths[path]![method.toLowerCase()]!['x-permission'] as Permission;
  };

  it('the session of a viewer is rejected by every route that changes something', async () => {
    const { page } = await enter('viewer');
    const routes = Object.entries(openApi.paths).flatMap(([path, operations]) =>
      CHANGES.flatMap((method) => {
        const permission = operations[method]?.['x-permission'];
        if (permission === undefined || permission === 'public' || permission === 'authenticated') return [];
        return [[method.toUpperCase(), path.replaceAll(/\{(.*?)\}/g, (_, name) => segmentOf(name as string))]];
      }),
    );
    expect(routes.length).toBeGreaterThan(40);
    const before = await shop.sql('select count(*)::int n from tasker.operator_action');
    const answers = (await page.evaluate(`(async () => {
      const found = [];
      for (const [method, path] of ${JSON.stringify(routes)}) {
        const headers = { 'x-tasker-csrf': '1', 'content-type': 'application/json' };
        found.push([method + ' ' + path, (await fetch(path, { method, headers, body: '{}' })).status]);
      }
      return found;
    })()`)) as [string, number][];
    expect(answers.filter(([, status]) => status !== 403)).toEqual([]);
    expect(await shop.sql('select count(*)::int n from tasker.operator_action')).toEqual(before);
    await page.context().close();
  });

  const segmentOf = (name: string) =>
    (
      ({
        task_uuid: blocked,
        uuid: blocked,
        step: 'broken',
        namespace: 'test',
        version: '1.0.0',
        key: 'viewer',
      }) as Record<string, string>
    )[name] ?? 'nightly';

  it('an admin creates a key, which is shown once, and revokes it', async () => {
    const { page, problems } = await enter('admin');
    await goTo(page, 'settings?view=keys');
    await page.getByRole('button', { name: 'Create a key' }).click();
    const dialog = page.getByRole('dialog', { name: 'Create a key' });
    const name = dialog.getByRole('textbox', { name: 'Name', exact: true });
    await name.fill(MARKUP);
    await dialog.getByLabel('Role').selectOption('operator');
    await dialog.getByRole('button', { name: 'Create the key' }).click();
    await dialog.getByRole('alert').getByText('letters, digits').waitFor();
    expect(problems.splice(0)).toEqual([expect.stringContaining('status of 400')]);
    await name.fill('made-here');
    await dialog.getByRole('button', { name: 'Create the key' }).click();
    const box = page.getByRole('region', { name: 'New key' });
    const key = (await box.locator('code').textContent())!;
    expect((await fetch(`${url}/v1/me`, { headers: { 'x-api-key': key } })).status).toBe(200);
    await checkAccess(page);
    expect(await page.title()).not.toMatch(/^[12]$/);
    await page.reload();
    const row = page.getByRole('row').filter({ hasText: 'made-here' });
    await row.waitFor();
    expect(await box.count()).toBe(0);
    await row.getByRole('button', { name: 'Revoke' }).click();
    const sure = page.getByRole('dialog', { name: 'Revoke the key made-here' });
    await sure.getByRole('button', { name: 'Revoke the key' }).click();
    await sure.waitFor({ state: 'detached' });
    const [made] = (await listKeys(shop.tasker.engine.database, { all: true })).filter(
      ({ name }) => name === 'made-here',
    );
    expect(made!.state).toBe('revoked');
    expect(problems).toEqual([]);
    await page.context().close();
  });
});
