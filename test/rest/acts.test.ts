import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ActsBench, actsBench } from '../support/rest/acts-bench.ts';
import type { Json } from '../support/rest/served-api.ts';
import { until } from '../support/setup.ts';

let bench: ActsBench;
let api: ActsBench['api'];
beforeAll(async () => {
  bench = await actsBench();
  api = bench.api;
});
afterAll(() => api.stop());

const create: ActsBench['create'] = (...given) => bench.create(...given);
const failed: ActsBench['failed'] = (...given) => bench.failed(...given);
const waiting: ActsBench['waiting'] = (...given) => bench.waiting(...given);
const refused: ActsBench['refused'] = (...given) => bench.refused(...given);
const NEVER = '019b0000-0000-7000-8000-000000000000';

describe('an action on a task', () => {
  it('retries the task with the operator and the reason in the audit, and is a conflict if nothing failed', async () => {
    const uuid = await failed();
    const { status, body } = await api.ask('POST', `/v1/tasks/${uuid}/retry`, { by: 'ann', reason: 'new luck' });
    expect([status, body]).toMatchObject([200, { task_uuid: uuid, steps: ['second'] }]);
    await api.tasker.waitForTask(uuid);
    expect((await api.tasker.audit({ task: uuid })).entries[0]).toMatchObject({
      actor: 'ann',
      reason: 'new luck',
      door: 'rest',
    });
    const done = await create('demo', { context: { lucky: true } });
    await api.tasker.waitForTask(done);
    expect(await refused('POST', `/v1/tasks/${done}/retry`)).toEqual([409, 'CONFLICT', expect.any(String)]);
    expect(await refused('POST', `/v1/tasks/${NEVER}/retry`)).toEqual([
      404,
      'NOT_FOUND',
      expect.stringContaining(NEVER),
    ]);
    expect(await refused('POST', '/v1/tasks/7/retry')).toEqual([400, 'INVALID_UUID', expect.any(String)]);
  });

  it('resolves the task once, and is a conflict for a task that ended in another way', async () => {
    const uuid = await failed();
    expect((await api.ask('POST', `/v1/tasks/${uuid}/resolve`)).body).toMatchObject({
      resolved: true,
      status: 'resolved_manually',
    });
    expect((await api.ask('POST', `/v1/tasks/${uuid}/resolve`)).body).toMatchObject({ resolved: false });
    const done = await create('demo', { context: { lucky: true } });
    await api.tasker.waitForTask(done);
    expect(await refused('POST', `/v1/tasks/${done}/resolve`)).toEqual([
      409,
      'CONFLICT',
      expect.stringContaining('complete'),
    ]);
    expect((await api.ask('POST', `/v1/tasks/${uuid}/delete`)).body).toEqual({ task_uuid: uuid, deleted: true });
    expect((await refused('POST', `/v1/tasks/${uuid}/delete`))[0]).toBe(404);
  });

  it('reruns the task after a dry run that changes nothing, and copies the task once per key', async () => {
    const uuid = await create('demo', { context: { lucky: true } });
    await api.tasker.waitForTask(uuid);
    const planned = await api.ask('POST', `/v1/tasks/${uuid}/rerun`, { from: 'second', dry_run: true });
    expect(planned.body).toMatchObject({
      dry_run: true,
      status: 'complete',
      steps: [{ step: 'second', change: 'again' }],
    });
    expect((await api.tasker.getTask(uuid)).status).toBe('complete');
    expect((await api.ask('POST', `/v1/tasks/${uuid}/rerun`, { from: 'second' })).body).toMatchObject({ rerun: 1 });
    expect((await refused('POST', `/v1/tasks/${uuid}/rerun`, { from: 'nothing' }))[0]).toBe(404);
    const copy = await api.ask<Json>(
      'POST',
      `/v1/tasks/${uuid}/copy`,
      { context: { lucky: true } },
      { 'idempotency-key': 'c1' },
    );
    expect([copy.status, copy.body]).toMatchObject([201, { copy_of: uuid, created: true }]);
    expect((await refused('POST', `/v1/tasks/${uuid}/copy`, { idempotency_key: 'c1' })).slice(0, 2)).toEqual([
      409,
      'CONFLICT',
    ]);
  });

  it('starts a task now or at another time instead of its start time', async () => {
    const uuid = await create('demo', { context: { lucky: true }, delayMs: 3_600_000 });
    const moved = await api.ask<{ start_at: string }>('POST', `/v1/tasks/${uuid}/reschedule`, { in: '2h' });
    expect(Date.parse(moved.body.start_at)).toBeGreaterThan(Date.now() + 3_600_000);
    expect(await refused('POST', `/v1/tasks/${uuid}/reschedule`, { in: 'soon' })).toEqual([
      400,
      'BAD_REQUEST',
      expect.stringContaining('in:'),
    ]);
    expect((await refused('POST', `/v1/tasks/${uuid}/reschedule`, { in: '2h', at: '2030-01-01T00:00:00Z' }))[0]).toBe(
      400,
    );
    expect((await api.ask('POST', `/v1/tasks/${uuid}/start-now`)).body).toEqual({ task_uuid: uuid, started: true });
    await api.tasker.waitForTask(uuid);
    expect((await refused('POST', `/v1/tasks/${uuid}/start-now`))[0]).toBe(409);
  });

  it('pauses and resumes the task, its template and its namespace, and repetitions have no effect', async () => {
    const uuid = await waiting();
    for (const path of [
      `/v1/tasks/${uuid}`,
      '/v1/templates/test/waits',
      '/v1/templates/test/waits/1.0.0',
      '/v1/namespaces/test',
    ]) {
      expect((await api.ask('POST', `${path}/pause`, { by: 'ann', reason: 'storm' })).body).toMatchObject({
        changed: true,
        pause: { paused_by: 'ann', reason: 'storm' },
      });
      expect((await api.ask('POST', `${path}/pause`, { by: 'bob' })).body).toMatchObject({
        changed: false,
        pause: { paused_by: 'ann' },
      });
      expect((await api.ask('POST', `${path}/resume`)).body).toMatchObject({ changed: true, pause: null });
      expect((await api.ask('POST', `${path}/resume`)).body).toMatchObject({ changed: false });
    }
    expect((await refused('POST', '/v1/templates/test/nothing/pause'))[0]).toBe(404);
    expect((await refused('POST', '/v1/namespaces/nothing/pause'))[0]).toBe(404);
  });

  it('is rejected if its body has another content type or an unknown field', async () => {
    const uuid = await failed();
    const form = await api.ask<Json>('POST', `/v1/tasks/${uuid}/retry`, '{"reason":"x"}', {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect([form.status, form.body.error]).toMatchObject([415, { code: 'UNSUPPORTED_MEDIA_TYPE' }]);
    expect(await refused('POST', `/v1/tasks/${uuid}/rerun`, { from: 'first', dryrun: true })).toEqual([
      400,
      'BAD_REQUEST',
      expect.stringContaining('dryrun'),
    ]);
    expect((await api.tasker.getTask(uuid)).status).toBe('blocked_by_failures');
  });
});

describe('an action on a step', () => {
  it('retries a failed step, and fires or moves a timer, by the name or id of the step', async () => {
    const uuid = await failed();
    const { stepUuid } = await api.tasker.getStep(uuid, 'second');
    const retried = await api.ask('POST', `/v1/tasks/${uuid}/workflow_steps/${stepUuid}/retry`);
    expect([retried.status, retried.body.name]).toEqual([200, 'second']);
    expect((await refused('POST', `/v1/tasks/${uuid}/workflow_steps/first/retry`)).slice(0, 2)).toEqual([
      409,
      'CONFLICT',
    ]);
    expect((await refused('POST', `/v1/tasks/${uuid}/workflow_steps/nothing/retry`))[0]).toBe(404);
    const timed = await waiting();
    const place = `/v1/tasks/${timed}/workflow_steps/nap`;
    expect((await api.ask('POST', `${place}/move`, { until: '2031-01-01T00:00:00Z' })).body).toMatchObject({
      until: expect.stringContaining('2031-01-01'),
    });
    expect((await refused('POST', `${place}/move`, { until: 'tomorrow' }))[0]).toBe(400);
    expect((await api.ask('POST', `${place}/fire`, { by: 'ann' })).body).toMatchObject({ current_state: 'complete' });
    expect((await refused('POST', `${place}/fire`))[0]).toBe(409);
  });
});

describe('signals, approvals and completions', () => {
  it('a signal goes to a task, a correlation id or a key, is stored once per key, and can be read', async () => {
    const uuid = await waiting({ idempotencyKey: 'O-7' });
    const sent = await api.ask<{ signal_id: string; tasks: Json[] }>('POST', `/v1/tasks/${uuid}/signals`, {
      name: 'paid',
      payload: { amount: 1 },
      idempotency_key: 'e1',
      by: 'bank',
    });
    expect([sent.status, sent.body.tasks]).toMatchObject([201, [{ task_uuid: uuid, status: 'used', step: 'paid' }]]);
    const again = await api.ask<{ tasks: Json[] }>(
      'POST',
      `/v1/tasks/${uuid}/signals`,
      { name: 'paid', payload: { amount: 2 } },
      { 'idempotency-key': 'e1' },
    );
    expect(again.body.tasks).toMatchObject([{ duplicate: true }]);
    expect((await api.ask('GET', `/v1/signals/${sent.body.signal_id}`)).body).toMatchObject({
      name: 'paid',
      by: 'bank',
      payload: { amount: 1 },
    });
    expect((await api.ask('GET', `/v1/tasks/${uuid}/signals?limit=5`)).body).toMatchObject({
      signals: [{ name: 'paid' }],
      next_cursor: null,
    });
    expect((await refused('GET', `/v1/signals/${NEVER}`))[0]).toBe(404);
    expect((await refused('POST', `/v1/tasks/${uuid}/signals`, { name: 'nothing' })).slice(0, 2)).toEqual([
      409,
      'CONFLICT',
    ]);
    const other = await waiting({ idempotencyKey: 'O-8' });
    const byKey = await api.ask<{ tasks: Json[] }>('POST', '/v1/signals', {
      name: 'paid',
      template: 'test/waits',
      key: 'O-8',
    });
    expect(byKey.body.tasks).toMatchObject([{ task_uuid: other }]);
    const { correlationId } = await api.tasker.getTask(await waiting());
    const byId = await api.ask<{ tasks: Json[] }>('POST', '/v1/signals', {
      name: 'paid',
      correlation_id: correlationId,
    });
    expect(byId.body.tasks).toHaveLength(1);
    expect((await refused('POST', '/v1/signals', { name: 'paid', template: 'test/waits' }))[0]).toBe(400);
  });

  it('the first of several signals completes its step with its name and payload', async () => {
    const uuid = await create('either');
    const place = `/v1/tasks/${uuid}/signals`;
    expect(await refused('POST', place, { name: 'refusd' })).toEqual([
      409,
      'CONFLICT',
      expect.stringContaining('did you mean refused?'),
    ]);
    expect(await refused('POST', place, { name: 'paid', payload: {} })).toEqual([
      409,
      'CONFLICT',
      expect.stringContaining("required property 'amount'"),
    ]);
    const sent = await api.ask<{ tasks: Json[] }>('POST', place, { name: 'refused', payload: 'no money' });
    expect(sent.body.tasks).toMatchObject([{ status: 'used', step: 'pay' }]);
    const { body } = await api.ask<Json[]>('GET', `/v1/tasks/${uuid}/workflow_steps`);
    expect(body[0]).toMatchObject({
      current_state: 'complete',
      results: { result: { name: 'refused', payload: 'no money' } },
    });
    expect((await refused('POST', place, { name: 'paid', payload: { amount: 1 } })).slice(0, 2)).toEqual([
      409,
      'CONFLICT',
    ]);
  });

  it('an approval is listed, shown, voted on and reassigned; without a credential, the body names the voter', async () => {
    const uuid = await waiting();
    const place = `/v1/approvals/${uuid}/sign`;
    const list = await api.ask<{ approvals: Json[] }>('GET', '/v1/approvals?assignee=ann&limit=100');
    expect(list.body.approvals.map((one) => one.task_uuid)).toContain(uuid);
    expect((await api.ask('GET', place)).body).toMatchObject({ status: 'open', quorum: 1 });
    expect((await refused('POST', `${place}/vote`, { decision: 'approve' }))[0]).toBe(400);
    expect((await refused('POST', `${place}/vote`, { decision: 'approve', by: 'mallory' })).slice(0, 2)).toEqual([
      403,
      'FORBIDDEN',
    ]);
    expect((await api.ask('POST', `${place}/reassign`, { to: ['bob'], by: 'ann' })).body).toMatchObject({
      assignees: ['bob'],
    });
    expect((await refused('POST', `${place}/reassign`, {}))[0]).toBe(400);
    const voted = await api.ask('POST', `${place}/vote`, { decision: 'approve', by: 'bob', comment: 'fine' });
    expect(voted.body).toMatchObject({ status: 'approved', votes: [{ by: 'bob', comment: 'fine' }] });
    expect((await api.ask('POST', `${place}/vote`, { decision: 'approve', by: 'bob', comment: 'fine' })).status).toBe(
      200,
    );
    expect((await refused('POST', `${place}/vote`, { decision: 'reject', by: 'bob' })).slice(0, 2)).toEqual([
      409,
      'CONFLICT',
    ]);
    expect((await refused('GET', `/v1/approvals/${uuid}/nap`))[0]).toBe(409);
  });

  it('a token completes, fails or extends its step, and no other credential is needed', async () => {
    const uuid = await create('outer');
    await until(
      () => api.tasker.getStep(uuid, 'outside'),
      (step) => step.currentState === 'waiting',
    );
    const token = bench.tokens.get(uuid)!;
    expect((await api.ask<Json>('POST', '/v1/completions/extend', { token, timeout: '3h' })).body.until).toEqual(
      expect.any(String),
    );
    expect((await api.ask('POST', '/v1/completions/complete', { token, result: { paid: 1 } })).body).toMatchObject({
      task_uuid: uuid,
      repeated: false,
    });
    expect((await api.ask('POST', '/v1/completions/complete', { token, result: { paid: 1 } })).body).toMatchObject({
      repeated: true,
    });
    expect((await refused('POST', '/v1/completions/fail', { token, message: 'no' })).slice(0, 2)).toEqual([
      409,
      'CONFLICT',
    ]);
    expect((await refused('POST', '/v1/completions/complete', { token: 'x'.repeat(43) })).slice(0, 2)).toEqual([
      403,
      'FORBIDDEN',
    ]);
    expect((await refused('POST', '/v1/completions/extend', { token, timeout: 'long' }))[0]).toBe(400);
  });
});
