import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { createKey } from '../../src/engine/credentials/api-keys.ts';
import { Decision } from '../../src/handlers/decision/decision.ts';
import { defineDecisionHandler } from '../../src/handlers/decision/define-decision-handler.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { LOCAL_SECURITY } from '../../src/rest/auth/settings.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { listen } from '../../src/server/listen.ts';
import { template } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';
import { checkAccess, openScreen, patient, type ServedPage, servePage, watchedPage } from './served-page.ts';

// A browser is slow while other tests run.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const order = template(
  {
    price: [],
    approve: { dependencies: ['price'], when: 'context.total > 100' },
    charge: { dependencies: ['price'], retry: { max_attempts: 1 } },
    ship: ['charge'],
    confirm: ['ship'],
    release: { dependencies: ['charge'], run_if: 'failed' },
    ledger: { dependencies: ['confirm', 'release'], run_if: 'ended' },
  },
  {
    name: 'order',
    sensitive: ['card'],
    output: { card: 'context.card', released: 'steps.release.release', why: 'errors.charge.message' },
  },
);
const parcel = template(
  { price: [], choose: { type: 'decision', dependencies: ['price'], when: 'false' }, by_hand: ['choose'] },
  { name: 'parcel' },
);
const receipt = template({ price: [] }, { name: 'receipt', output: { total: 'context.sum' } });
const race = template(
  {
    price: [],
    card: ['price'],
    paid: { type: 'signal', handler: undefined, dependencies: ['price'], signal: { name: 'paid' } },
    first: { dependencies: ['card', 'paid'], join: 'any' },
  },
  { name: 'race' },
);
const handlers = [
  ...['price', 'approve', 'ship', 'confirm', 'release', 'ledger', 'card', 'first'].map((name) =>
    defineHandler(name, {}, () => ({ [name]: true })),
  ),
  defineHandler('charge', {}, () => {
    throw new PermanentError('the bank refused the card', { errorType: 'card_refused' });
  }),
  defineDecisionHandler('choose', {}, () => Decision.route(['by_hand'], {})),
  defineHandler('by_hand', {}, () => ({})),
];

describeWith('chromium', 'routes after a failure on the web page', () => {
  let served: ServedPage;
  let tasker: Tasker;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    served = await servePage({ templates: [order, parcel, receipt, race], handlers });
    tasker = served.tasker;
  });
  afterAll(() => served?.close());
  beforeEach(async () => {
    ({ page, problems } = await watchedPage(served.browser, served.server.url));
  });
  afterEach(() => page.context().close());

  const open = (path: string, heading: string) => openScreen(page, `${served.server.url}/${path}`, heading);
  const complete = async (name: string) => {
    const { taskUuid } = await tasker.createTask({ namespace: 'test', name, context: { total: 5, card: '4111' } });
    expect(await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })).toMatchObject({ status: 'complete' });
    return taskUuid;
  };
  const drawer = (step: string) => page.getByRole('complementary', { name: `Step ${step}` });

  it('a skipped step has a word, a shape and the only action that is possible', async () => {
    const uuid = await complete('order');
    await open(`tasks/${uuid}?step=ship`, 'order');
    for (const name of ['approve', 'ship', 'confirm']) {
      await page.getByLabel(`${name}: Skipped`, { exact: true }).waitFor();
    }
    await page.getByLabel('charge: Failed', { exact: true }).waitFor();
    await page.getByLabel('release: Complete', { exact: true }).waitFor();
    const ship = drawer('ship');
    await ship.getByText('Skipped', { exact: true }).waitFor();
    await ship.getByRole('button', { name: 'Rerun from here' }).waitFor();
    for (const name of ['Complete', 'Resolve']) {
      expect(await ship.getByRole('button', { name, exact: true }).count(), name).toBe(0);
    }
    await checkAccess(page);
    await page.emulateMedia({ colorScheme: 'dark' });
    await checkAccess(page);

    await page.getByText('3 of 7, 3 skipped').waitFor();

    await page.getByRole('tab', { name: 'Timeline' }).click();
    const timeline = page.getByRole('list', { name: 'Timeline' });
    await timeline.getByTitle(/^attempt 1 skipped: /).waitFor();
    expect(await timeline.getByTitle(/^attempt 1 failed: /).count()).toBe(1);
    expect(await timeline.getByTitle(/^blocked: /).count(), 'the failure is handled').toBe(0);
    await page.getByText('skipped', { exact: true }).last().waitFor();
    await page.getByRole('tab', { name: 'Steps' }).click();
    const steps = page.getByRole('table', { name: 'Steps' });
    await expect.poll(() => steps.getByRole('cell', { name: 'Skipped', exact: true }).count()).toBe(3);

    await open('tasks', 'Tasks');
    await page.getByLabel('Filter by', { exact: true }).selectOption({ label: 'Step state' });
    await page.getByLabel('Step state to filter by').selectOption({ label: 'Skipped' });
    await page.getByText('Step state: Skipped').waitFor();
    const row = page.getByRole('table', { name: 'Tasks' }).getByRole('row').filter({ hasText: 'order' }).first();
    await row.getByTitle('3 of 7 steps are complete, 3 skipped, 1 failed').waitFor();
    expect(problems).toEqual([]);
  });

  it('a step that takes the first of several shows its condition, and the other steps show why they stopped', async () => {
    const uuid = await complete('race');
    await open(`tasks/${uuid}?step=first`, 'race');
    await drawer('first').getByRole('region', { name: 'Conditions' }).getByText('join: any').waitFor();
    await page.getByLabel(/^paid: (Cancelled|Skipped)$/).click();
    await drawer('paid')
      .getByText(/because first began without it/)
      .waitFor();
    await open('templates/test/race/1.0.0', 'race 1.0.0');
    await page.getByRole('tab', { name: 'Steps' }).click();
    await page.getByText('join: any').first().waitFor();
    expect(problems).toEqual([]);
  });

  it('a step below a skipped decision says why it was not created', async () => {
    const uuid = await complete('parcel');
    await open(`tasks/${uuid}`, 'parcel');
    await page.getByLabel('choose: Skipped', { exact: true }).waitFor();
    await page.getByLabel('by_hand: not taken').click();
    await drawer('by_hand').getByText('This step was not created: choose was skipped.').waitFor();
    expect(problems).toEqual([]);
  });

  it('the edges to steps that run after a failure are dashed, and conditions are shown with their step', async () => {
    const uuid = await complete('order');
    const dashes = (selector: string) =>
      page.evaluate(
        `[...document.querySelectorAll('${selector} .react-flow__edge-path')]
          .map((path) => getComputedStyle(path).strokeDasharray)`,
      );
    const dashed = ['6px, 4px', '6px, 4px', '6px, 4px'];
    const legend = page.getByRole('list', { name: 'Legend' });
    await open(`tasks/${uuid}?step=release`, 'order');
    await legend.getByText('runs after a failure').waitFor();
    await expect.poll(() => dashes('.route')).toEqual(dashed);
    expect(await dashes('.react-flow__edge:not(.route)')).toEqual(['none', 'none', 'none', 'none']);
    await drawer('release').getByRole('region', { name: 'Conditions' }).getByText('run_if: failed').waitFor();
    await page.getByLabel('approve: Skipped', { exact: true }).click();
    await drawer('approve').getByRole('region', { name: 'Conditions' }).getByText('context.total > 100').waitFor();
    await checkAccess(page);

    await open('templates/test/order/1.0.0', 'order 1.0.0');
    await legend.getByText('runs after a failure').waitFor();
    await expect.poll(() => dashes('.route')).toEqual(dashed);
    await page.getByLabel(/^ledger: /).click();
    await page.getByRole('region', { name: 'Conditions' }).getByText('run_if: ended').waitFor();
    await page.getByRole('tab', { name: 'Steps' }).click();
    await page.getByRole('cell', { name: 'when: context.total > 100' }).waitFor();

    await open('templates/test/parcel/1.0.0', 'parcel 1.0.0');
    await page.getByLabel(/^choose: /).waitFor();
    expect(await legend.count(), 'without routes').toBe(0);
    expect(problems).toEqual([]);
  });

  it('a complete task shows its output, or why it has none', async () => {
    const uuid = await complete('order');
    await open(`tasks/${uuid}?view=data`, 'order');
    const output = page.getByRole('region', { name: 'Output' });
    for (const text of ['4111', 'the bank refused the card']) await output.getByText(text).waitFor();
    await checkAccess(page);
    await open(`tasks/${await complete('receipt')}?view=data`, 'receipt');
    await output.getByText('output.total: context.sum does not exist').waitFor();
    await open(`tasks/${await complete('parcel')}?view=data`, 'parcel');
    await page.getByRole('region', { name: 'Context' }).waitFor();
    expect(await output.count(), 'the template has no output').toBe(0);
    expect(problems).toEqual([]);
  });

  it('the output of a task hides what its template declares as sensitive', async () => {
    const uuid = await complete('order');
    const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
    const security = { ...LOCAL_SECURITY, auth: { ...LOCAL_SECURITY.auth, required: 'always' as const } };
    const guarded = await listen(patient(restApp({ tasker, logger: silentLogger, facts, security })), {
      host: '127.0.0.1',
      port: 0,
    });
    onTestFinished(() => guarded.close());
    const { key } = await createKey(tasker.engine.database, { name: 'viewer', roles: ['viewer'] }, {});
    await page.goto(`${guarded.url}/tasks/${uuid}?view=data`);
    await page.getByLabel('API key').fill(key);
    await page.getByRole('button', { name: 'Log in' }).click();
    const output = page.getByRole('region', { name: 'Output' });
    await expect.poll(() => output.getByText('redacted', { exact: true }).count()).toBe(2);
    expect(await output.textContent()).not.toMatch(/4111|the bank refused/);
    await page.getByText('To see what is [redacted], you need the permission tasks:context_read.').waitFor();
  });
});
