// Runs every statement that signals and approvals use, for explain.mjs.
import pg from 'pg';

const MISSING = '0199aaaa-0000-7000-8000-00000000aaaa';

/** Sends signals in every way: to waiting steps, early, twice, by correlation id, and in a transaction of the caller. */
export async function everySignal({ tasker, probe, url, tasks }) {
  const [first, second, third, fourth] = tasks;
  const { engine } = tasker;
  const { signalId } = await tasker.signal(first, 'paid', { amount: 1 }, { idempotencyKey: 'k' });
  await tasker.signal(first, 'paid', { amount: 1 }, { idempotencyKey: 'k' });
  await tasker.signal(second, 'later', 1);
  await tasker.signal(second, 'paid', 1);
  await tasker.signal(third, 'pair', 1);
  await tasker.signal({ correlationId: '00000000-0000-4000-8000-000000000007' }, 'pair', 1);
  await tasker.getSignal(signalId);
  await tasker.listSignals(first);
  await tasker.listSignals(second, { kept: true });

  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('begin');
  const sent = [];
  for (const task of [third, fourth, MISSING]) sent.push(await tasker.signal(task, 'pair', 2, { client }));
  await client.query('commit');
  await engine.signalInbox.use();
  for (const { signalId: id } of sent) await tasker.getSignal(id);

  // A signal for a locked task is postponed.
  await probe.query('begin');
  await probe.query('select 1 from tasker.task where task_uuid = $1 for update', [fourth]);
  await tasker.signal(fourth, 'pair', 3, { client });
  await engine.signalInbox.use();
  await probe.query('commit');
  await probe.query('update tasker.signal_inbox set retry_at = null where done_at is null');
  await engine.signalInbox.use();
  await client.end();
}

/** Lists approvals, votes on them, and reassigns one. */
export async function everyApproval({ tasker, tasks }) {
  const { approvals } = tasker;
  const [first, second] = tasks;
  await approvals.list({ assignee: 'ann' }, { limit: 50 });
  await approvals.list({}, { limit: 50 });
  await approvals.list({ task: first });
  await approvals.get(first, 'ask');
  for (const by of ['ann', 'bob']) await approvals.vote(first, 'ask', { decision: 'approve', by });
  await approvals.vote(second, 'ask', { decision: 'approve', by: 'ann' });
  await approvals.reassign(second, 'ask', { to: ['carl'], by: 'ann', reason: 'on holiday' });
}
