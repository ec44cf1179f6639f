// Adds data that the example `night` lacks: approvals, waits, a batch, a decision, events with dead deliveries,
// schedules, dead letters, versions of a template, and tasks of several days. Prints `the day is made`, and runs its
// worker until a signal.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import {
  BaseSubscriber,
  createTasker,
  Decision,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  defineHandler,
  mustParseTemplate,
  PermanentError,
  RetryableError,
  silentLogger,
} from 'tasker-core';

const NAMESPACE = 'billing';
const INPUT = {
  type: 'object',
  required: ['customer', 'amount', 'lines', 'address'],
  properties: {
    customer: { type: 'string', minLength: 3, title: 'Customer', description: 'The id of the customer in the shop.' },
    amount: { type: 'integer', minimum: 1, title: 'Amount', description: 'In cents.' },
    currency: { enum: ['EUR', 'USD', 'GBP'], default: 'EUR', title: 'Currency' },
    due: { type: 'string', format: 'date', title: 'Due' },
    express: { type: 'boolean', title: 'Express', description: 'Is paid on the same day.' },
    lines: {
      type: 'array',
      title: 'Lines',
      items: {
        type: 'object',
        required: ['sku'],
        properties: { sku: { type: 'string' }, quantity: { type: 'integer', default: 1 } },
      },
    },
    address: {
      type: 'object',
      title: 'Address',
      required: ['city'],
      properties: { city: { type: 'string' }, street: { type: 'string' } },
    },
  },
};
const invoice = (version, steps) => ({
  name: 'send_invoice',
  version,
  description: 'Writes an invoice, waits until it is paid, and books it',
  input_schema: INPUT,
  steps,
});
const write = { name: 'write_invoice', handler: 'work' };
const send = {
  name: 'send_mail',
  handler: 'work',
  depends_on: ['write_invoice'],
  publishes_events: [{ name: 'invoice.sent', description: 'An invoice was sent', schema: { type: 'object' } }],
};
const TEMPLATES = [
  invoice('1.0.0', [write, send, { name: 'book', handler: 'work', depends_on: ['send_mail'] }]),
  invoice('1.1.0', [
    write,
    send,
    { name: 'paid', type: 'signal', depends_on: ['send_mail'], signal: { name: 'paid', timeout: '30d' } },
    { name: 'remind', type: 'timer', depends_on: ['send_mail'], timer: { for: '14d' } },
    { name: 'book', handler: 'work', depends_on: ['paid'], result_schema: { type: 'object' } },
  ]),
  {
    name: 'pay_refund',
    version: '2.3.0',
    description: 'Pays money back after two people have agreed',
    steps: [
      { name: 'check_limits', handler: 'work' },
      {
        name: 'agree',
        type: 'approval',
        depends_on: ['check_limits'],
        approval: {
          title: 'Pay the refund?',
          assignees: ['finance', 'team leads'],
          quorum: 2,
          timeout: '3d',
          form: {
            type: 'object',
            required: ['limit'],
            properties: {
              limit: { type: 'integer', maximum: 5000, title: 'Limit', description: 'In euros.' },
              note: { type: 'string', title: 'Note for the customer' },
            },
          },
        },
      },
      { name: 'pay', handler: 'work', depends_on: ['agree'] },
    ],
  },
  {
    name: 'import_payments',
    version: '1.0.0',
    description: 'Reads the payments of a bank in batches',
    steps: [
      { name: 'read_file', handler: 'work' },
      { name: 'choose_bank', type: 'decision', depends_on: ['read_file'], handler: 'choose_bank' },
      { name: 'split', type: 'batchable', depends_on: ['choose_bank'], handler: 'split' },
      { name: 'import_by_hand', handler: 'work', depends_on: ['choose_bank'] },
      {
        name: 'import_part',
        type: 'batch_worker',
        depends_on: ['split'],
        handler: 'import_part',
        retry: { max_attempts: 2, backoff: 'none' },
        batch_config: {
          batch_size: 1,
          parallelism: 6,
          cursor_field: 'id',
          worker_template: 'import_part',
          failure_strategy: 'continue_on_failure',
        },
      },
      { name: 'sum_up', type: 'deferred_convergence', depends_on: ['import_part', 'import_by_hand'], handler: 'work' },
    ],
  },
  {
    name: 'close_month',
    version: '1.4.2',
    description: 'Closes the books of a month, with many steps',
    steps: Array.from({ length: 28 }, (_, i) => ({
      name: i === 0 ? 'open' : i === 27 ? 'close_the_books_of_all_companies' : `account_${String(i).padStart(2, '0')}`,
      handler: i === 9 ? 'flaky' : 'work',
      ...(i > 0 &&
        i < 27 && { depends_on: [i % 3 === 0 || i < 3 ? 'open' : `account_${String(i - 1).padStart(2, '0')}`] }),
      ...(i === 27 && { depends_on: ['account_26', 'account_23', 'account_11', 'account_09'] }),
    })),
  },
  {
    name: 'remove_customer',
    version: '1.0.0',
    steps: [{ name: 'remove', handler: 'refuse', retry: { max_attempts: 3, backoff: 'none' } }],
  },
].map((template) =>
  mustParseTemplate(JSON.stringify({ namespace: NAMESPACE, identity_strategy: 'always_unique', ...template })),
);

let attempts = 0;
const handlers = [
  defineHandler('work', {}, async ({ logger }) => {
    logger.info({ table: 'invoice' }, 'working');
    await sleep(20 + Math.random() * 180);
    return { done: true, reference: `R-${Math.ceil(Math.random() * 9_999)}`, token: '[redacted]' };
  }),
  defineHandler('flaky', {}, async () => {
    await sleep(400);
    if (++attempts % 2 === 1) throw new RetryableError('the ledger did not answer within 400 ms');
    return { done: true };
  }),
  defineHandler('refuse', {}, ({ logger, context }) => {
    logger.warn({ attempt: context.attempt }, 'the customer has open invoices');
    throw new PermanentError('the customer has 3 open invoices, which must be paid or cancelled first', {
      errorType: 'open_invoices',
    });
  }),
  defineDecisionHandler('choose_bank', {}, () => Decision.route(['split'], {})),
  defineBatchAnalyzer('split', { workerTemplate: 'import_part' }, () => ({
    totalItems: 60,
    batchSize: 1,
    maxBatches: 60,
  })),
  defineBatchWorker('import_part', {}, async ({ batchContext }) => {
    await sleep(batchContext.startCursor > 30 ? 120_000 : 50);
    if (batchContext.startCursor % 13 === 12) throw new PermanentError('row 12 has no IBAN');
    return { itemsProcessed: 1, results: [], lastCursor: 1 };
  }),
];

class Ledger extends BaseSubscriber {
  static subscriberName = 'ledger';

  subscribesTo() {
    return ['invoice.*'];
  }

  handle({ payload }) {
    if (payload.reference > 'R-5') throw new PermanentError(`the ledger has no account for ${payload.reference}`);
  }
}

class Mailer extends BaseSubscriber {
  static subscriberName = 'mailer';

  subscribesTo() {
    return ['invoice.sent', 'order.*'];
  }

  handle() {}
}

const tasker = await createTasker({
  templates: TEMPLATES,
  handlers,
  subscribers: [new Ledger(), new Mailer()],
  namespaces: [NAMESPACE],
  name: 'billing-worker',
  concurrency: 10,
  logger: silentLogger,
});
const versions = new Map(TEMPLATES.map(({ name, version }) => [name, version]));
const create = (name, context = {}, more = {}) =>
  tasker.createTask({ namespace: NAMESPACE, name, version: versions.get(name), context, ...more });
const order = (i) => ({
  customer: `C-${1000 + i}`,
  amount: 1000 + i * 17,
  lines: [{ sku: `sku-${i}`, quantity: 1 }],
  address: { city: 'Oslo' },
});

for (let i = 0; i < 24; i++) {
  await create('send_invoice', order(i), {
    version: i < 12 ? '1.0.0' : '1.1.0',
    tags: i % 4 === 0 ? ['vip', 'eu'] : ['eu'],
  });
}
for (let i = 0; i < 3; i++)
  await create('pay_refund', { order_id: `O-${i}` }, { initiator: 'support', tags: ['refund'] });
await create('import_payments');
await create('close_month', { month: '2026-11' }, { priority: 10 });
const removals = [];
for (let i = 0; i < 4; i++) removals.push(await create('remove_customer', { customer: `C-${i}` }));

await tasker.schedules.create({
  name: 'close-month',
  template: 'billing/close_month@latest',
  cron: '0 2 1 * *',
  timezone: 'Europe/Berlin',
  description: 'Closes the books on the first of each month',
  tags: ['books'],
});
await tasker.schedules.create({
  name: 'import-payments',
  template: 'billing/import_payments@latest',
  cron: '*/15 6-20 * * 1-5',
  timezone: 'UTC',
  overlap: 'skip',
});
await tasker.schedules.create({ name: 'remove-customers', template: 'billing/remove_customer@1.0.0', every: '12h' });
await tasker.schedules.trigger('remove-customers', { by: 'ann', reason: 'try it' });
await tasker.schedules.pause('remove-customers', { by: 'ann', reason: 'until the rule for open invoices is clear' });

const until = async (look, holds) => {
  for (;;) {
    if (holds(await look())) return;
    await sleep(100);
  }
};
await until(
  () => tasker.approvals.list({}, { limit: 10 }),
  ({ approvals }) => approvals.length === 3,
);
const { approvals } = await tasker.approvals.list({}, { limit: 10 });
await tasker.approvals.vote(approvals[0].taskUuid, 'agree', {
  decision: 'approve',
  by: 'ann',
  roles: ['finance'],
  comment: 'within the limit',
  form: { limit: 100 },
});
for (const { taskUuid } of removals) {
  await until(
    () => tasker.getTask(taskUuid),
    ({ status }) => status === 'blocked_by_failures',
  );
}
for (const { taskUuid } of removals.slice(0, 2)) {
  await tasker.deadLetters.add(taskUuid, { actor: 'ann', reason: 'is the customer really to be removed?' });
}

// All tasks were created within a minute, but the histogram must show days.
const client = new pg.Client({ connectionString: tasker.engine.database.directUrl });
await client.connect();
await sleep(2_000);
for (const table of ['task', 'task_search']) {
  await client.query(
    `update tasker.${table} set created_at = created_at - (abs(hashtext(task_uuid::text)) % 5000) * interval '1 minute'
      where abs(hashtext(task_uuid::text)) % 3 > 0`,
  );
}
await client.end();
console.log('the day is made');
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void tasker.stop({ drainTimeoutMs: 100 }));
