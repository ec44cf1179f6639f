import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { completeLater } from '../../src/handlers/later.ts';
import { ANYONE, type Caller } from '../../src/rest/caller.ts';
import { type Json, servedApi } from '../support/rest/served-api.ts';
import { template, until } from '../support/setup.ts';
import { approvalStep, signalStep } from '../support/waits/waiting.ts';

const first = defineHandler('first', {}, () => ({ made: 1 }));
const second = defineHandler('second', { inputs: { lucky: 'lucky' } }, ({ lucky }) => {
  if (!lucky) throw new PermanentError('no luck today');
  return { made: 2 };
});
const tokens = new Map<string, string>();
const outside = defineHandler('outside', {}, async ({ context }) => {
  tokens.set(context.taskUuid, await context.completionToken());
  return completeLater({ timeoutMs: 3_600_000 });
});
const TIMER = { type: 'timer', handler: undefined, timer: { for: '1h' } };
const NEVER = '019b0000-0000-7000-8000-000000000000';

let api: Awaited<ReturnType<typeof servedApi>>;
beforeAll(async () => {
  api = await servedApi({
    worker: true,
    templates: [
      template({ first: [], second: ['first'] }),
      template(
        { nap: TIMER, sign: approvalStep({ assignees: ['ann', 'managers'] }), paid: signalStep('paid') },
        { name: 'waits' },
      ),
      template({ outside: [] }, { name: 'outer' }),
      template({ first: [] }, { name: 'elsewhere', namespace: 'other' }),
    ],
    handlers: [first, second, outside],
  });
});
afterAll(() => api.stop());

const create = async (name = 'demo', more: object = {}, namespace = 'test') =>
  (
    await api.tasker.createTask<string, string, string>({
      name,
      namespace,
      version: '1.0.0',
      context: {},
      ...more,
    } as never)
  ).taskUuid;
const failed = async () => {
  const uuid = await create('demo', { context: { lucky: false } });
  await api.tasker.waitForTask(uuid);
  return uuid;
};
const waiting = async (more: object = {}) => {
  const uuid = await create('waits', more);
  await until(
    () => api.tasker.getSteps(uuid),
    (steps) => steps.every((step) => step.currentState === 'waiting'),
  );
  return uuid;
};
const refused = async (method: string, path: string, body?: unknown) => {
  const { status, body: answer } = await api.ask<{ error: { code: string; message: string } }>(method, path, body);
  return [status, answer.error.code, answer.error.message];
};

describe('an act on a task', () => {
  it('retries it with the operator and the reason in the audit, and is a conflict if nothing failed', async () => {
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

  it('resolves it once, repeats without effect, and is a conflict for a task that ended otherwise', async () => {
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

  it('reruns it after a dry run that changes nothing, and copies it once for a key', async () => {
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

  it('starts a later task now, or at another time', async () => {
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

  it('pauses and resumes it, its template and its namespace, each repeated without effect', async () => {
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

  it('is refused if its body has another content type or an unknown field, instead of leaving out what it asks for', async () => {
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

describe('an act on a step', () => {
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
  it('a signal goes to a task, a correlation id or a key, is stored once for a key, and can be read', async () => {
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

  it('a token completes, fails or extends its step, and is the only credential', async () => {
    const uuid = await create('outer');
    await until(
      () => api.tasker.getStep(uuid, 'outside'),
      (step) => step.currentState === 'waiting',
    );
    const token = tokens.get(uuid)!;
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

describe('schedules, dead letters, templates, workers and events', () => {
  it('a schedule is created, changed, paused, triggered once for a key, backfilled after a dry run, and deleted', async () => {
    const path = '/v1/schedules/nightly';
    const created = await api.ask('POST', '/v1/schedules', {
      name: 'nightly',
      template: 'test/demo@1.0.0',
      cron: '0 2 * * *',
      catch_up: 'none',
      context: { lucky: true },
    });
    expect([created.status, created.body]).toMatchObject([201, { name: 'nightly', catch_up: 'none', state: 'active' }]);
    expect(
      (await refused('POST', '/v1/schedules', { name: 'nightly', template: 'test/demo@1.0.0', every: '1h' })).slice(
        0,
        2,
      ),
    ).toEqual([409, 'CONFLICT']);
    expect(
      (await refused('POST', '/v1/schedules', { name: 'bad', template: 'test/demo@1.0.0', cron: 'often' }))[0],
    ).toBe(400);
    expect((await api.ask('PATCH', path, { every: '1h', description: 'often' })).body).toMatchObject({
      cron: null,
      every_ms: 3_600_000,
    });
    expect((await refused('PATCH', path, {}))[0]).toBe(400);
    expect((await api.ask('POST', `${path}/pause`, { reason: 'rest' })).body).toMatchObject({
      changed: true,
      state: 'paused',
      pause_reason: 'rest',
    });
    expect((await api.ask('POST', `${path}/resume`)).body).toMatchObject({ changed: true, state: 'active' });
    const once = await api.ask('POST', `${path}/trigger`, {}, { 'idempotency-key': 't1' });
    expect([once.status, (await api.ask('POST', `${path}/trigger`, { idempotency_key: 't1' })).body]).toEqual([
      201,
      once.body,
    ]);
    await api.ask('PATCH', path, { cron: '0 * * * *' });
    const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T03:00:00Z' };
    const planned = await api.ask<Json[]>('POST', `${path}/backfill`, { ...range, dry_run: true });
    expect(new Set(planned.body.map((due) => due.outcome))).toEqual(new Set(['planned']));
    expect((await api.ask<Json[]>('POST', `${path}/backfill`, range)).body[0]).toMatchObject({ outcome: 'created' });
    expect((await api.ask<Json[]>('POST', `${path}/backfill`, range)).body[0]).toMatchObject({ outcome: 'exists' });
    expect((await api.ask('GET', `${path}?limit=3`)).body).toMatchObject({ name: 'nightly', last: [{}, {}, {}] });
    expect((await api.ask<{ schedules: Json[] }>('GET', '/v1/schedules')).body.schedules).toHaveLength(1);
    expect((await api.ask('DELETE', path)).body).toEqual({ deleted: 'nightly' });
    expect((await refused('DELETE', path))[0]).toBe(404);
  });

  it('a dead letter is added once, assigned, noted, redriven and resolved', async () => {
    const uuid = await failed();
    const added = await api.ask<{ dlq_entry_uuid: string }>('POST', '/v1/dlq', {
      task_uuid: uuid,
      reason: 'charged twice?',
      priority: 5,
    });
    expect([added.status, added.body]).toMatchObject([201, { task_uuid: uuid, priority: 5, dlq_reason: 'manual_dlq' }]);
    expect((await refused('POST', '/v1/dlq', { task_uuid: uuid })).slice(0, 2)).toEqual([409, 'CONFLICT']);
    const entry = `/v1/dlq/entry/${added.body.dlq_entry_uuid}`;
    expect((await api.ask('POST', `${entry}/assign`, { to: 'payments' })).body).toEqual({ changed: 1 });
    expect((await refused('POST', `${entry}/assign`, {}))[0]).toBe(400);
    expect((await api.ask('POST', `${entry}/note`, { note: 'called them', by: 'ann' })).body).toEqual({ changed: 1 });
    expect((await api.ask('POST', `${entry}/redrive`)).body).toMatchObject({ how: 'retried', steps: ['second'] });
    expect((await refused('POST', `${entry}/assign`, { to: null })).slice(0, 2)).toEqual([409, 'CONFLICT']);
    await api.tasker.waitForTask(uuid);
    const next = await api.ask<{ dlq_entry_uuid: string }>('POST', '/v1/dlq', { task_uuid: uuid });
    expect(
      (await api.ask('POST', `/v1/dlq/entry/${next.body.dlq_entry_uuid}/resolve`, { notes: 'refunded' })).body,
    ).toEqual({ changed: 1 });
    expect((await refused('POST', `/v1/dlq/entry/${NEVER}/redrive`))[0]).toBe(404);
  });

  it('a template is checked and registered from YAML or JSON, and compared with the one before', async () => {
    const yaml = (version: string, extra = '') =>
      `name: fresh\nnamespace: test\nversion: ${version}\nsteps:\n  - name: first\n    handler: first\n${extra}`;
    const type = { 'content-type': 'application/yaml' };
    const checked = await api.ask('POST', '/v1/templates/validate', yaml('1.0.0'), type);
    expect(checked.body).toMatchObject({ valid: true, template: { change: 'new', previous_digest: null } });
    const registered = await api.ask<Json>('POST', '/v1/templates', yaml('1.0.0'), type);
    expect([registered.status, registered.body.change]).toEqual([201, 'new']);
    expect((await api.ask('POST', '/v1/templates', { source: yaml('1.0.0') })).body).toMatchObject({
      change: 'unchanged',
    });
    const object = {
      name: 'fresh',
      namespace: 'test',
      version: '1.0.0',
      steps: [
        { name: 'first', handler: 'first' },
        { name: 'b', handler: 'second', dependencies: ['first'] },
      ],
    };
    expect((await api.ask('POST', '/v1/templates', object)).body).toMatchObject({
      change: 'changed',
      previous_digest: registered.body.digest,
    });
    const broken = await api.ask<{ error: { details: { problems: Json[] } } }>(
      'POST',
      '/v1/templates',
      yaml('1.0.0', '  - name: b\n    handler: x\n    dependencies: [frist]\n'),
      type,
    );
    expect([broken.status, broken.body.error.details.problems[0]]).toMatchObject([
      400,
      { line: 9, message: expect.stringContaining('first') },
    ]);
    expect((await api.ask('POST', '/v1/templates/validate', 'name: [', type)).body).toMatchObject({
      valid: false,
      template: null,
    });
  });

  it('a worker is drained and resumed, and events of an unknown group are not found', async () => {
    const [worker] = await api.tasker.listWorkers();
    const drained = await api.ask<Json>('POST', `/v1/workers/${worker!.id}/drain`, { by: 'ann', reason: 'kernel' });
    expect(drained.body).toMatchObject({
      changed: true,
      drain: { by: 'ann' },
      left_namespaces: expect.arrayContaining(['test']),
    });
    expect((await api.ask('POST', `/v1/workers/${worker!.name}/drain`)).body).toMatchObject({ changed: false });
    expect((await api.ask('POST', `/v1/workers/${worker!.name}/resume`)).body).toMatchObject({ changed: true });
    expect((await refused('POST', '/v1/workers/nobody/drain'))[0]).toBe(404);
    for (const path of ['events/replay', 'events/dead/redeliver', 'events/dead/discard']) {
      expect((await refused('POST', `/v1/${path}`, { group: 'nothing' })).slice(0, 2)).toEqual([404, 'NOT_FOUND']);
    }
    expect((await refused('DELETE', '/v1/events/groups/nothing'))[0]).toBe(404);
  });
});

describe('a caller with a credential', () => {
  const caller = (more: Partial<Caller> = {}): Caller => ({
    ...ANYONE,
    subject: 'key:ci',
    namespaces: ['test'],
    allows: () => true,
    ...more,
  });

  it('acts and votes as its subject, and the name in the body is a remark', async () => {
    const ask = api.as(caller());
    const uuid = await failed();
    await ask('POST', `/v1/tasks/${uuid}/retry`, { by: 'ann', reason: 'new luck' });
    const { entries } = await api.tasker.audit({ task: uuid });
    expect(entries.find((one) => one.taskUuid === uuid)).toMatchObject({
      actor: 'key:ci',
      reason: 'new luck (by ann)',
    });
    const place = `/v1/approvals/${await waiting()}/sign/vote`;
    expect((await ask('POST', place, { decision: 'approve', by: 'ann', roles: ['managers'] })).status).toBe(403);
    expect((await api.as(caller({ subject: 'ann' }))('POST', place, { decision: 'approve' })).body).toMatchObject({
      votes: [{ by: 'ann' }],
    });
  });

  it('does not find what is in other namespaces, and changes nothing there', async () => {
    const ask = api.as(caller());
    const uuid = await create('elsewhere', {}, 'other');
    await api.tasker.waitForTask(uuid);
    await api.tasker.schedules.create({ name: 'theirs', template: 'other/elsewhere@1.0.0', every: '1h' });
    const entry = await api.tasker.deadLetters.add(uuid);
    const statuses: Record<string, number> = {};
    for (const [path, body] of [
      [`tasks/${uuid}/retry`],
      [`tasks/${uuid}/resolve`],
      [`tasks/${uuid}/rerun`, { from: 'first' }],
      [`tasks/${uuid}/copy`],
      [`tasks/${uuid}/pause`],
      [`tasks/${uuid}/delete`],
      [`tasks/${uuid}/signals`, { name: 'paid' }],
      [`tasks/${uuid}/workflow_steps/first/retry`],
      [`approvals/${uuid}/first/vote`, { decision: 'approve' }],
      ['schedules/theirs/pause'],
      ['schedules/theirs/trigger'],
      ['dlq', { task_uuid: uuid }],
      [`dlq/entry/${entry.dlqEntryUuid}/redrive`],
      ['namespaces/other/pause'],
      ['templates/other/elsewhere/pause'],
      ['schedules', { name: 'x', template: 'other/elsewhere@1.0.0', every: '1h' }],
      ['templates', { name: 'mine', namespace: 'other', version: '1.0.0', steps: [{ name: 'a', handler: 'a' }] }],
      ['bulk-acts', { action: 'task_cancel', filter: { open: true } }],
      ['bulk-acts', { action: 'task_cancel', filter: { namespace: 'other' } }],
      ['bulk-acts', { action: 'task_delete', ids: [uuid] }],
      ['events/replay', { group: 'g' }],
    ] as [string, object?][]) {
      statuses[path] = (await ask('POST', `/v1/${path}`, body ?? {})).status;
    }
    expect(new Set(Object.values(statuses))).toEqual(new Set([403, 404]));
    expect(statuses[`tasks/${uuid}/retry`]).toBe(404);
    expect(await api.tasker.pauses()).toEqual([]);
    expect((await api.tasker.getTask(uuid)).status).toBe('complete');
    expect((await ask<{ schedules: Json[] }>('GET', '/v1/schedules')).body.schedules).toEqual([]);
  });
});
