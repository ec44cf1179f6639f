import { createApiKey } from '../../../src/app/credentials/api-keys.ts';
import type { World } from '../../support/rest/world.ts';
import { template, until } from '../../support/setup.ts';
import { approvalStep, signalStep } from '../../support/waits/waiting.ts';
import { ACT, type Row, type Table } from './row.ts';

const TEMPLATES = [
  template({ sign: approvalStep({ assignees: ['ann', 'managers'] }), paid: signalStep('paid') }, { name: 'waits' }),
  template({ outside: [] }, { name: 'outer' }),
];
const CORRELATION = '019b0000-0000-7000-8000-00000000c0de';

/** Creates a task whose steps all wait. */
async function waiting({ tasker }: World, name: 'waits' | 'outer', more: object = {}): Promise<string> {
  const request = { namespace: 'test', name, version: '1.0.0', context: {}, ...more };
  const { taskUuid } = await tasker.createTask<string, string, string>(request);
  await until(
    () => tasker.getSteps(taskUuid),
    (steps) => steps.every(({ currentState }) => currentState === 'waiting'),
  );
  return taskUuid;
}

/** Signals, approvals and completions, which other systems and people send to waiting steps. */
export async function waitRows(world: World): Promise<Table> {
  await world.tasker.registerTemplates(TEMPLATES);
  return { ...(await signalRows(world)), ...(await approvalRows(world)), ...(await completionRows(world)) };
}

async function signalRows(world: World): Promise<Table> {
  const { complete } = world.tasks;
  const [uuid, shown] = await Promise.all([
    waiting(world, 'waits'),
    waiting(world, 'waits'),
    waiting(world, 'waits', { idempotencyKey: 'order 7' }),
    waiting(world, 'waits', { correlationId: CORRELATION }),
  ]);
  const { signalId } = await world.tasker.signal(shown, 'paid', { amount: 5 }, { by: 'bank' });
  const paid = { name: 'paid', payload: { amount: 7 }, by: 'bank' };
  return {
    postTaskSignals: {
      ok: [
        { params: { uuid }, body: { ...paid, idempotency_key: 'one' } },
        { params: { uuid }, body: paid, headers: { 'idempotency-key': 'one' } },
      ],
      400: [
        { params: { uuid }, body: {} },
        { params: { uuid }, body: { name: '' } },
      ],
      409: [{ params: { uuid: complete }, body: paid }],
    },
    postSignals: {
      ok: [
        { body: { ...paid, template: 'test/waits', key: 'order 7' } },
        { body: { ...paid, correlation_id: CORRELATION } },
      ],
      400: [
        { body: paid },
        { body: { ...paid, template: 'waits', key: 'order 7' } },
        { body: { ...paid, correlation_id: 'x' } },
      ],
      404: [{ body: { ...paid, template: 'test/nothing', key: 'order 7' } }],
      409: [{ body: { ...paid, name: 'nothing', template: 'test/waits', key: 'order 7' } }],
    },
    getTaskSignals: {
      ok: [{ params: { uuid: shown } }, { params: { uuid: shown }, query: 'kept=true&name=paid&limit=1' }],
      400: [
        { params: { uuid: shown }, query: 'kept=maybe' },
        { params: { uuid: shown }, query: 'cursor=x' },
      ],
    },
    getSignal: { ok: [{ params: { signal_id: signalId } }] },
  };
}

async function approvalRows(world: World): Promise<Table> {
  const { complete } = world.tasks;
  const [open, other] = await Promise.all([waiting(world, 'waits'), waiting(world, 'waits')]);
  const sign = (task_uuid: string, body?: object): Row => ({
    params: { task_uuid, step: 'sign' },
    ...(body && { body }),
  });
  const request = { name: 'foreign', permissions: ['approvals:read'], namespaces: ['elsewhere'] };
  const { key: foreign } = await createApiKey(world.tasker, request, { actor: 'ana' });
  const vote = { decision: 'approve', by: 'ann', comment: 'fine' };
  const second: Row = { params: { task_uuid: complete, step: 'second' } };
  return {
    getApprovals: {
      ok: [{}, { query: 'assignee=ann&namespace=test&name=waits&limit=1' }, { query: `task=${open}` }],
      400: [{ query: 'cursor=x' }, { query: 'task=7' }],
      404: [{ query: `task=${complete}`, secured: true, headers: { 'x-api-key': foreign } }],
    },
    getApproval: { ok: [sign(open)], 404: [{ params: { task_uuid: open, step: 'nothing' } }], 409: [second] },
    postApprovalVote: {
      ok: [sign(open, vote)],
      400: [sign(open, { decision: 'approve' }), sign(open, { ...vote, decision: 'perhaps' })],
      403: [sign(open, { ...vote, by: 'bob' })],
      404: [{ params: { task_uuid: open, step: 'nothing' }, body: vote }],
      409: [{ ...second, body: vote }],
    },
    postApprovalReassign: {
      ok: [sign(other, { ...ACT, to: ['bob'] }), sign(other, { everyone: true })],
      400: [sign(other, ACT), sign(other, { to: ['bob'], everyone: true })],
      404: [{ params: { task_uuid: other, step: 'nothing' }, body: { to: ['bob'] } }],
      409: [{ ...second, body: { to: ['bob'] } }],
    },
  };
}

async function completionRows(world: World): Promise<Table> {
  const [complete, fail, extend, over, failed] = await Promise.all(
    Array.from({ length: 5 }, async () => world.tokens.get(await waiting(world, 'outer'))!),
  );
  await world.tasker.completeByToken(over!, { made: 1 });
  await world.tasker.failByToken(failed!, { message: 'no stock' });
  const unknown = 'nothing';
  return {
    postCompletionsComplete: {
      ok: [{ body: { token: complete, result: { made: 3 } } }, { body: { token: complete, result: { made: 3 } } }],
      400: [{ body: {} }, { body: { token: 7 } }],
      403: [{ body: { token: unknown } }],
      409: [{ body: { token: failed, result: { made: 2 } } }],
    },
    postCompletionsFail: {
      ok: [{ body: { token: fail, message: 'no stock', error_type: 'stock', retryable: false } }],
      400: [{ body: { token: fail } }],
      403: [{ body: { token: unknown, message: 'no stock' } }],
      409: [{ body: { token: over, message: 'no stock' } }],
    },
    postCompletionsExtend: {
      ok: [{ body: { token: extend, timeout: '15m' } }],
      400: [{ body: { token: extend } }, { body: { token: extend, timeout: 'long' } }],
      403: [{ body: { token: unknown, timeout: '15m' } }],
      409: [{ body: { token: over, timeout: '15m' } }],
    },
  };
}
