// Charges seven cards through a payment service that fails for six of them. Usage: node charge-cards.mjs [FOLDER]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';
import { Ledger } from '../orders/services/ledger.mjs';
import { startPaymentService } from '../orders/services/payment-service.mjs';

const CARDS = ['tok_visa', 'tok_busy', 'tok_error', 'tok_hang', 'tok_slow', 'tok_reset', 'tok_declined'];
const here = import.meta.dirname;

const folder = mkdtempSync(path.join(tmpdir(), 'tasker-api-'));
const ledger = new Ledger(folder);
const service = await startPaymentService(ledger);
process.env.PAYMENTS_URL = service.url; // read by the handlers

const tasker = await createTasker({
  templates: path.join(here, 'templates'),
  handlers: path.join(here, 'handlers'),
  embeddedFolder: path.resolve(process.argv[2] ?? path.join(here, '../../.tasker')),
  logger: silentLogger, // the output below replaces the log
});
const tasks = await tasker.createTasks(
  CARDS.map((card, i) => ({
    namespace: 'api_demo',
    name: 'charge_card',
    context: { order_id: `O-${i + 1}`, card, amount_cents: 1000 + i },
  })),
);
for (const [i, { taskUuid }] of tasks.entries()) {
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 });
  const failures = (await tasker.getHistory(taskUuid)).filter(({ error }) => error);
  const said = failures.map(({ step, error }) => `${step} ${error.error_type}`).join(', ');
  console.log(`${CARDS[i].padEnd(14)}${status.padEnd(21)}${said}`.trimEnd());
}
const captures = ledger.of('capture');
console.log(`${captures.length} captures for ${new Set(captures.map(({ order_id }) => order_id)).size} orders`);

await tasker.stop();
await service.close();
rmSync(folder, { recursive: true });
