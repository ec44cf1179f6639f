import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import pc from 'picocolors';

const RESTING = new Set(['complete', 'blocked_by_failures', 'error', 'cancelled', 'resolved_manually']);
const BAR = 20;

/** Returns the progress of these tasks. */
async function countTasks(tasker, ids) {
  const tasks = (await tasker.listTasks({ namespace: 'orders_demo', name: 'fulfil_order', limit: 1000 })).filter(
    (task) => ids.has(task.taskUuid),
  );
  const having = (test) => tasks.filter(test).length;
  return {
    orders: ids.size,
    complete: having(({ status }) => status === 'complete'),
    refused: having(({ status }) => RESTING.has(status) && status !== 'complete'),
    waiting: having(({ status }) => status === 'waiting_for_retry'),
    steps: tasks.reduce((sum, task) => sum + task.completedSteps, 0),
  };
}

/**
 * Shows the progress of the tasks until all of them have ended or are blocked, or the signal is aborted.
 * @returns the number of complete steps before and after the wait
 */
export async function watchProgress(tasker, taskUuids, { out, signal }) {
  const ids = new Set(taskUuids);
  const before = await countTasks(tasker, ids);
  setMaxListeners(0, signal); // each wait adds a listener
  let resting = false;
  const ends = Promise.all(taskUuids.map((id) => tasker.waitForTask(id, { signal }))).then(() => {
    resting = true;
  });
  const tick = out.isTTY ? 120 : 1000;
  try {
    while (!resting) {
      await Promise.race([ends, sleep(tick, undefined, { ref: false })]);
      show(out, await countTasks(tasker, ids));
    }
    await ends;
  } finally {
    if (out.isTTY) out.write('\n');
  }
  const after = await countTasks(tasker, ids);
  return { before: before.steps, after: after.steps };
}

function show(out, { orders, complete, refused, waiting, steps }) {
  const filled = Math.round((BAR * (complete + refused)) / orders);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}`;
  const running = orders - complete - refused - waiting;
  const text = `${complete} complete, ${refused} refused, ${waiting} to be retried, ${running} in progress; ${steps} steps`;
  if (!out.isTTY) return out.write(`  ${text}\n`);
  // A line longer than the terminal would wrap instead of being overwritten.
  const room = Math.max(0, (out.columns || 100) - BAR - 5);
  out.write(`\r\x1b[2K  ${pc.cyan(bar)}  ${text.slice(0, room)}`);
}
