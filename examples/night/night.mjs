// Creates a bad night in an empty database: 60 tasks are blocked for three reasons, 25 wait for a worker, and 20 for a
// retry.
//   node night.mjs           creates the night in DATABASE_URL or .tasker/ of this folder, and runs the shop's worker
//   node night.mjs --once    creates the night and exits
//   node night.mjs --fixed   runs workers with repaired handlers on an existing night
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTasker, silentLogger } from 'tasker-core';
import { handlersOf, printLabel } from './handlers.mjs';

const fixed = process.argv.includes('--fixed');
const once = process.argv.includes('--once');

const tasker = await createTasker({
  templates: path.join(import.meta.dirname, 'templates'),
  handlers: fixed ? [...handlersOf({ fixed }), printLabel] : handlersOf({ fixed }),
  namespaces: fixed ? ['shop', 'warehouse'] : ['shop'],
  name: fixed ? 'morning-worker' : 'night-worker',
  concurrency: 20,
  logger: silentLogger,
});

if (fixed) {
  console.log('the repaired workers are running; Ctrl-C stops them');
} else {
  await makeNight();
  console.log('60 tasks are blocked for three reasons, 25 wait for a worker, 20 wait for a retry, and 40 are complete');
  if (!once)
    console.log('look at them in another terminal, in this folder: npx tasker status; Ctrl-C stops the worker');
}
if (once) await tasker.stop();
else for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void tasker.stop());

async function makeNight() {
  const [before] = await tasker.listTasks({ limit: 1 });
  if (before) {
    console.error('this database already has tasks; use an empty database that you can delete afterwards');
    await tasker.stop();
    process.exit(1);
  }
  const orders = Array.from({ length: 100 }, (_, i) => orderOf(i));
  await tasker.createTasks([
    ...orders.map((context) => ({ namespace: 'shop', name: 'fulfil_order', context })),
    ...orders.slice(0, 20).map(({ order_id }) => ({ namespace: 'shop', name: 'refund_order', context: { order_id } })),
    ...orders
      .slice(0, 25)
      .map(({ order_id }) => ({ namespace: 'warehouse', name: 'pack_parcel', context: { order_id } })),
  ]);
  // The search tables lag behind the tasks by up to a second.
  for (;;) {
    const { states, unserved } = await tasker.summarizeTasks();
    const { blocked_by_failures: blocked, waiting_for_retry: waiting, complete } = states;
    if (blocked === 60 && waiting === 20 && complete === 40 && unserved.steps === 25) return;
    await sleep(100);
  }
}

/** 20 orders have no items, 30 use a gateway that is down, 10 need a receipt that is missing, and 40 are fine. */
function orderOf(i) {
  const items = i < 20 ? [] : [{ sku: `sku-${i}` }];
  const gateway = i >= 20 && i < 50 ? 'gw-2' : 'gw-1';
  const country = i >= 50 && i < 60 ? 'DE' : 'FR';
  return { order_id: `O-${1000 + i}`, items, gateway, country };
}
