// Steps that a picture needs after its address is open: they open dialogs and menus, and type texts.

const press =
  (name, scope = '') =>
  async (page) => {
    const within = scope === '' ? page : page.locator(scope);
    await within.getByRole('button', { name, exact: true }).first().click();
  };
const keys =
  (...names) =>
  async (page) => {
    for (const name of names) await page.keyboard.press(name);
  };

/** Returns the scenes by name, each with its address and the actions to perform there. */
export function scenesOf({ task, approval, batch, month, letter, ended }) {
  return {
    palette: { at: '', act: keys('Control+k') },
    'palette-search': {
      at: '',
      act: async (page) => {
        await page.keyboard.press('Control+k');
        await page.keyboard.type('invoice');
        await page.waitForTimeout(600);
      },
    },
    'keys-list': { at: '', act: keys('?') },
    menu: {
      at: '',
      only: 'small',
      act: press('Open the navigation'),
    },
    selection: {
      at: 'tasks?state=blocked_by_failures',
      act: (page) => page.getByLabel('Select all tasks of this page').check(),
    },
    bulk: {
      at: 'tasks?state=blocked_by_failures',
      act: async (page) => {
        await page.getByLabel('Select all tasks of this page').check();
        await page
          .getByRole('region', { name: 'Selected tasks' })
          .getByRole('button', { name: 'Retry', exact: true })
          .click();
        await page.waitForTimeout(600);
      },
    },
    brushed: { at: 'tasks?namespace=billing' },
    'no-match': { at: 'tasks?tag=nothing' },
    'bad-filter': { at: 'tasks?created_after=never' },
    columns: { at: 'tasks', act: press('Columns') },
    views: { at: 'tasks', act: press('Views') },
    export: { at: 'tasks', act: press('Export') },
    'cause-details': { at: 'errors', act: press('Details') },
    'retry-cause': {
      at: 'errors',
      act: async (page) => {
        await page
          .getByRole('button', { name: /^Retry / })
          .first()
          .click();
        await page.waitForTimeout(600);
      },
    },
    letter: { at: `dead-letters?entry=${letter}` },
    vote: { at: 'approvals', act: press('Approve') },
    reassign: { at: 'approvals', act: press('Reassign') },
    retry: { at: `tasks/${task}?step=charge_card`, act: press('Retry', 'aside') },
    complete: { at: `tasks/${task}?step=charge_card`, act: press('Complete', 'aside') },
    rerun: {
      at: `tasks/${ended}?step=write_invoice`,
      act: async (page) => {
        await press('Rerun from here', 'aside')(page);
        await page.waitForTimeout(600);
      },
    },
    cancel: { at: `tasks/${task}`, act: press('Cancel') },
    waits: { at: `tasks/${approval}?step=agree` },
    'waits-timeline': { at: `tasks/${approval}?view=timeline` },
    ended: { at: `tasks/${ended}?step=send_mail` },
    'ended-events': { at: `tasks/${ended}?view=events` },
    batch: { at: `tasks/${batch}?step=import_part` },
    'batch-open': { at: `tasks/${batch}?unfold=import_part` },
    'batch-timeline': { at: `tasks/${batch}?view=timeline` },
    month: { at: `tasks/${month}` },
    'template-invoice': { at: 'templates/billing/send_invoice/1.1.0' },
    'template-steps': { at: 'templates/billing/send_invoice/1.1.0?view=steps' },
    'template-input': { at: 'templates/billing/send_invoice/1.1.0?view=input' },
    'template-yaml': { at: 'templates/billing/send_invoice/1.1.0?view=yaml' },
    'template-compare': { at: 'templates/billing/send_invoice/1.1.0?view=compare' },
    'new-invoice': { at: 'templates/billing/send_invoice/1.1.0/new' },
    schedule: { at: 'schedules/import-payments' },
    'schedule-paused': { at: 'schedules/remove-customers' },
    'schedule-edit': { at: 'schedules/close-month/edit' },
    backfill: {
      at: 'schedules/import-payments',
      act: async (page) => {
        await press('Backfill')(page);
        await page.getByLabel('From').fill('2026-11-26T06:00');
        await page.getByLabel('To').fill('2026-11-26T12:00');
        await page.waitForTimeout(600);
      },
    },
    catalogue: { at: 'events?view=catalogue' },
    groups: { at: 'events?view=groups' },
    dead: { at: 'events?view=dead' },
    'event-open': { at: 'events', act: (page) => page.getByRole('button', { name: 'invoice.sent' }).first().click() },
    replay: {
      at: 'events?view=groups',
      act: async (page) => {
        await press('Replay')(page);
        await page.waitForTimeout(400);
      },
    },
    worker: { at: 'workers/billing-worker' },
    'pause-namespace': { at: 'queues', act: press('Pause') },
    'create-key': { at: 'settings?view=keys&create=true' },
    retention: { at: 'settings?view=retention' },
    configuration: { at: 'settings?view=configuration' },
    browser: { at: 'settings?view=browser' },
    'stats-order': { at: 'stats?hours=1&order=queueing' },
    'no-task': { at: 'tasks/0199b2c0-0000-7000-8000-000000000000' },
    lost: {
      at: 'tasks',
      act: async (page) => {
        await page.route('**/v1/**', (route) => route.abort());
        await page.waitForTimeout(17_000);
      },
    },
  };
}
