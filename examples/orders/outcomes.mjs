/**
 * Returns the outcome of each order from tasker's records: why it was refused, and which problems occurred.
 *
 * @returns {Promise<Array<{orderId: string, taskUuid: string, complete: boolean, code?: string, why?: string,
 *   problems: string[], lost: number, capturedCents: number}>>}
 */
export async function readOutcomes(tasker, handles, orders) {
  const outcomes = [];
  for (const [i, { taskUuid }] of handles.entries()) {
    const [task, steps, history] = await Promise.all([
      tasker.getTask(taskUuid),
      tasker.getSteps(taskUuid),
      tasker.getHistory(taskUuid),
    ]);
    const failed = steps.find((step) => step.currentState === 'error')?.results;
    const isRule = failed?.error.error_type === 'business_rule';
    outcomes.push({
      orderId: orders[i].order_id,
      taskUuid,
      complete: task.status === 'complete',
      code: isRule ? failed.metadata.error_code : undefined,
      why: failed ? failed.error.message : task.status,
      // An attempt that was lost with its process is not a problem of the services.
      problems: history.filter(({ what, toState }) => what === 'failed' && toState !== 'error').map(kindOf),
      lost: history.filter(({ what }) => what === 'worker_lost').length,
      capturedCents: steps.find(({ name }) => name === 'capture_payment').results?.result?.amount_cents ?? 0,
    });
  }
  return outcomes;
}

const kindOf = ({ error }) => error?.error_type ?? 'unknown';

/** Returns a sentence for each inconsistency. */
export function findFaults(outcomes, captures) {
  const faults = [];
  for (const { orderId, complete, code, why, capturedCents } of outcomes) {
    const charges = captures.filter((capture) => capture.order_id === orderId);
    if (!complete && !code) faults.push(`order ${orderId} neither completed nor was refused by a rule: ${why}`);
    if (charges.length > 1) faults.push(`order ${orderId} was charged ${charges.length} times`);
    const charged = charges.reduce((sum, charge) => sum + charge.amount_cents, 0);
    if (charged !== capturedCents) {
      faults.push(`order ${orderId} was charged ${charged} cents, but its capture step has ${capturedCents}`);
    }
    if (complete !== charges.length > 0) {
      faults.push(`order ${orderId} is ${complete ? 'complete but not' : 'refused but'} charged`);
    }
  }
  return faults;
}
