import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { partsFor, workers } from '../hand-worker.ts';
import { template, until } from '../setup.ts';

/** Texts at sensitive paths, by their place. No response to a caller without the permission may contain one of them. */
export const CANARIES = {
  context: 'canary-of-a-context',
  customer: 'canary-of-a-customer',
  result: 'canary-of-a-result',
  dropped: 'canary-of-a-dropped-result',
  worker: 'canary-of-a-batch-worker',
  signal: 'canary-of-a-signal',
  kept: 'canary-of-a-kept-signal',
  form: 'canary-of-a-form',
  comment: 'canary-of-a-comment',
  schedule: 'canary-of-a-schedule',
  filter: 'canary-of-a-filter',
  output: 'canary-of-an-output',
} as const;

const EVENT = { name: 'card.charged', description: 'A card was charged.', schema: { type: 'object' } };

/** The context of a task, with sensitive and other values. */
export const CONTEXT = {
  card: { number: CANARIES.context, brand: 'plain-brand' },
  customers: [{ email: CANARIES.customer, id: 'plain-id' }],
};

export const SENSITIVE_TEMPLATES = [
  template(
    {
      charge: { dependencies: [], sensitive: ['token'], publishes_events: [EVENT] },
      ship: { dependencies: ['charge'] },
      pay: { type: 'signal', handler: undefined, signal: { name: 'paid', count: 2 }, sensitive: ['*.iban'] },
      agree: {
        type: 'approval',
        handler: undefined,
        approval: { title: 'Ship?', quorum: 2, form: { type: 'object' } },
        sensitive: ['form.iban', 'comment'],
      },
    },
    { name: 'secret', sensitive: ['card.number', 'customers.*.email'] },
  ),
  template(
    {
      analyze: { type: 'batchable' },
      work: { ...workers(['analyze']), sensitive: ['token'] },
      join: { type: 'deferred_convergence', dependencies: ['work'], sensitive: ['parts'] },
    },
    {
      name: 'rows',
      sensitive: ['card.number'],
      output: { derived: 'steps.join.parts.join("-")', plain: '"plain-" + "output"' },
    },
  ),
  template({ first: [] }, { name: 'plain' }),
];

/** The tasks whose first step has run. */
const charged = new Set<string>();
export const SENSITIVE_HANDLERS = [
  defineHandler('charge', {}, ({ context }) => {
    context.logger.info({ card: context.inputData.card }, `charging ${CANARIES.context}`);
    const isFirst = !charged.has(context.taskUuid);
    charged.add(context.taskUuid);
    return { token: isFirst ? CANARIES.dropped : CANARIES.result, amount: 'plain-amount' };
  }),
  defineHandler('ship', {}, ({ context }) => {
    const { token } = context.getDependencyResult('charge') as { token: string };
    context.logger.warn({ token }, `no ship for ${token}`);
    throw new PermanentError('no ship today');
  }),
  defineHandler('analyze', {}, () => partsFor('work', 'a', 'b')),
  defineHandler('work', {}, () => ({ token: CANARIES.worker })),
  defineHandler('join', {}, () => ({ parts: CANARIES.output.split('-') })),
  defineHandler('first', {}, () => ({ token: 'plain-token' })),
];

/** The ids of what {@link fill} creates. */
export interface Things {
  /** Its second step failed, before and after a rerun. It has a signal, and waits for another one and for votes. */
  task: string;
  /** Its signals and votes are complete. */
  decided: string;
  rows: string;
  plain: string;
  event: string;
  signal: string;
  dead_letter: string;
  bulk: string;
}

/**
 * Creates tasks, signals, votes, a rerun, events, a schedule, a bulk action and a dead letter that have all canaries.
 */
export async function fill(tasker: Tasker): Promise<Things> {
  const by = { actor: 'ann', reason: 'a test' };
  const create = async (name: string, context: object = CONTEXT) =>
    (await tasker.createTask({ namespace: 'test', name, version: '1.0.0', context: { ...context } })).taskUuid;
  await tasker.engine.events.joinGroup({ name: 'audit', patterns: ['card.*'] });
  const task = await create('secret');
  const state = async (uuid: string, step: string) => (await tasker.getStep(uuid, step)).currentState;
  await until(
    () => state(task, 'ship'),
    (seen) => seen === 'error',
  );
  await tasker.rerunTask(task, { from: 'charge', ...by });
  await until(
    () => state(task, 'ship'),
    (seen) => seen === 'error',
  );
  await until(
    () => state(task, 'agree'),
    (seen) => seen === 'waiting',
  );
  const { signalId } = await tasker.signal(task, 'paid', { iban: CANARIES.signal, plain: 'plain-payload' });
  const vote = { decision: 'approve', by: 'ann', form: { iban: CANARIES.form, plain: 'plain-form' } } as const;
  await tasker.approvals.vote(task, 'agree', { ...vote, comment: CANARIES.comment });
  const decided = await create('secret');
  await until(
    () => state(decided, 'agree'),
    (seen) => seen === 'waiting',
  );
  await tasker.approvals.vote(decided, 'agree', { ...vote, comment: CANARIES.comment });
  await tasker.approvals.vote(decided, 'agree', { ...vote, by: 'bob' });
  for (const iban of [CANARIES.signal, CANARIES.kept]) await tasker.signal(decided, 'paid', { iban });
  const rows = await create('rows', { card: { number: CANARIES.context } });
  await tasker.waitForTask(rows, { timeoutMs: 30_000 });
  await tasker.rerunTask(rows, { from: 'analyze', ...by });
  await tasker.waitForTask(rows, { timeoutMs: 30_000 });
  const plain = await create('plain', { card: 'plain-card' });
  await tasker.waitForTask(plain, { timeoutMs: 30_000 });
  await tasker.schedules.create(
    { name: 'nightly', template: 'test/secret@1.0.0', every: '24h', context: { card: { number: CANARIES.schedule } } },
    by,
  );
  const bulk = await tasker.bulk
    .retry({ namespace: 'test', context: { card: { number: CANARIES.filter } } }, by)
    .result();
  const { dlqEntryUuid } = await tasker.deadLetters.add(task, by);
  const [event] = await until(
    () => tasker.events.list({ taskUuid: task }),
    (seen) => seen.length > 1,
  );
  await tasker.engine.search.flush();
  const ids = { event: event!.eventId, signal: signalId, dead_letter: dlqEntryUuid, bulk: String(bulk.id) };
  return { task, decided, rows, plain, ...ids };
}
