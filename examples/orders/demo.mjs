// The demo: the orders of a shop pass through a workflow of eight steps, with an unreliable payment service.
import path from 'node:path';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { findFaults, readOutcomes } from './outcomes.mjs';
import { watchProgress } from './progress.mjs';
import { serveWeb } from './serve-web.mjs';
import { openShop } from './shop.mjs';
import { readCatalogue, readOrders } from './shop-files.mjs';
import { row, totalsOf, WIDTH } from './totals.mjs';

const HELP = `npm run demo -- [options]

  --fresh          place new orders instead of continuing with the last ones
  --web            serve the web page with the tasks of the demo until Ctrl-C
  --folder PATH    folder of the embedded PostgreSQL and the demo's files; default: .tasker of this repository
  --help           print this help

DATABASE_URL selects another PostgreSQL server. Exit codes: 0 success, 1 failure, 130 stopped by Ctrl-C.`;

const REPEATED_MS = 500;

async function main() {
  const { values: options } = parseArgs({
    options: {
      fresh: { type: 'boolean', default: false },
      web: { type: 'boolean', default: false },
      folder: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (options.help) return console.log(HELP);
  const folder = path.resolve(options.folder ?? path.join(import.meta.dirname, '../../.tasker'));
  const signal = stopSignal();

  const catalogue = readCatalogue();
  const orders = readOrders(catalogue);
  const shop = await openShop({ folder, fresh: options.fresh, catalogue });
  try {
    await run(shop, orders, { folder, signal });
    if (options.web) await showWeb({ folder, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    console.log('  stopped without losing anything; the next npm run demo continues where this one stopped');
    process.exitCode = 130;
  } finally {
    await shop.close();
  }
}

async function run({ tasker, ledgers, batch, logFile }, orders, { folder, signal }) {
  const place = process.env.DATABASE_URL ? tasker.place : `embedded PostgreSQL in ${folder}`;
  console.log(pc.bold(`${orders.length} orders of 8 steps each, with an unreliable payment service`));
  console.log(pc.dim(`  ${place}; process ${process.pid}`));

  const begun = performance.now();
  const handles = await tasker.createTasks(
    orders.map((context) => ({
      namespace: 'orders_demo',
      name: 'fulfil_order',
      version: '1.0.0',
      context,
      idempotencyKey: `${batch}/${context.order_id}`,
    })),
    { onDuplicate: 'return' },
  );
  const existing = handles.filter(({ created }) => !created).length;
  if (existing > 0) console.log(`  ${existing} of them already existed`);

  const ids = handles.map(({ taskUuid }) => taskUuid);
  const { before, after } = await watchProgress(tasker, ids, { out: process.stdout, signal });
  const seconds = (performance.now() - begun) / 1000;

  const outcomes = await readOutcomes(tasker, handles, orders);
  const captures = ledgers.payments.of('capture');
  console.log(['', ...totalsOf(outcomes, captures), ''].join('\n'));
  showThisRun({ steps: after - before, seconds, lost: outcomes.reduce((sum, { lost }) => sum + lost, 0) });
  showFaults(findFaults(outcomes, captures), logFile);
  showNext(outcomes);
}

/** Serves the web page until Ctrl-C. The worker and the shop's services keep running, so that retried steps can run. */
async function showWeb({ folder, signal }) {
  const web = await serveWeb({ folder });
  try {
    console.log(`\n${pc.bold('web page')}\n  ${pc.cyan(`${web.url}/tasks`)}; Ctrl-C ends it`);
    await new Promise((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', resolve);
    });
  } finally {
    await web.stop();
  }
}

function showThisRun({ steps, seconds, lost }) {
  const rate = `${Math.round(steps / seconds)} steps/s; a service takes 20 to 80 ms`;
  console.log(row('steps done by this run', steps, `in ${seconds.toFixed(1)} s${steps > 0 ? `: ${rate}` : ''}`));
  if (lost > 0) console.log(row('steps taken over from a killed process', lost));
}

function showFaults(faults, logFile) {
  for (const fault of faults) console.error(pc.red(`  ${fault}`));
  if (faults.length === 0) return;
  console.error(`  the log is ${logFile}`);
  process.exitCode = 1;
}

function showNext(outcomes) {
  const refused = outcomes.find(({ code }) => code);
  const database = process.env.DATABASE_URL ? 'psql "$DATABASE_URL"' : 'npx tasker db psql';
  const next = [
    ['the same orders again: all exist already', 'npm run demo'],
    ['new orders; kill -9 it halfway, run it again', 'npm run demo -- --fresh'],
    ['look at the orders in a browser', 'npm run demo -- --web'],
    refused && [`why order ${refused.orderId} was refused`, `npx tasker task why ${refused.taskUuid}`],
    ['the tables in the database', database],
    ['your own workflow', 'docs/guide/first-workflow.md'],
  ];
  console.log(`\n${pc.bold('try next')}`);
  for (const [what, how] of next.filter(Boolean)) console.log(`  ${what.padEnd(WIDTH)}${pc.cyan(how)}`);
}

/**
 * Returns a signal that is aborted by the first Ctrl-C. A second Ctrl-C exits immediately, unless it is the signal that
 * npm forwards for the first.
 */
function stopSignal() {
  const controller = new AbortController();
  let first;
  const stop = (name) => {
    if (first === undefined) {
      first = performance.now();
      controller.abort();
    } else if (performance.now() - first > REPEATED_MS) {
      process.removeAllListeners(name);
      process.kill(process.pid, name);
    }
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}

main().catch((error) => {
  console.error(`orders demo: ${error.message}`);
  process.exitCode = 1;
});
