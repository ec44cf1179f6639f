import { describe, expect, it } from 'vitest';
import { invariants } from '../../support/setup.ts';
import { approvalStep, type Steps, sharedWaitingBenches } from '../../support/waits/waiting.ts';

const waitingBench = sharedWaitingBenches();

const code = (call: Promise<unknown>) =>
  call.then(
    () => 'no error',
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );

const steps = (more: Record<string, unknown> = {}): Steps => ({ ask: approvalStep(more), pay: ['ask'] });

/** A task whose step `ask` waits for votes. */
async function asked(more: Record<string, unknown> = {}) {
  const bench = await waitingBench(steps(more));
  const task = await bench.create();
  await bench.work();
  const { tasker } = bench;
  const vote = (by: string, decision: 'approve' | 'reject' = 'approve', rest: Record<string, unknown> = {}) =>
    tasker.approvals.vote(task, 'ask', { by, decision, ...rest });
  const events = async () =>
    (await bench.sql<{ name: string }>('select name from tasker.domain_event order by id')).map(({ name }) => name);
  return { ...bench, task, vote, events };
}

describe('an approval', () => {
  it('ends with the vote that reaches the quorum, and the task continues', async () => {
    const { tasker, task, vote, resultOf, work, events, sql } = await asked({
      quorum: 2,
      assignees: ['ana', 'bob', 'cy'],
    });
    expect(await vote('ana', 'approve', { comment: 'fine' })).toMatchObject({ status: 'open', approvals: 1 });
    expect(await vote('bob')).toMatchObject({ status: 'approved', approvals: 2 });
    expect(await resultOf(task, 'ask')).toEqual({
      decision: 'approved',
      by: 'bob',
      at: expect.stringMatching(/^20/),
      comment: null,
      form: null,
      votes: [
        { by: 'ana', decision: 'approve', at: expect.any(String), comment: 'fine', form: null },
        { by: 'bob', decision: 'approve', at: expect.any(String), comment: null, form: null },
      ],
    });
    await work();
    expect((await tasker.getTask(task)).status).toBe('complete');
    expect(await events()).toEqual(['approval.requested', 'approval.decided']);
    await invariants(sql);
  });

  it('ends with one rejection, unless the template requires more', async () => {
    const one = await asked({ quorum: 3 });
    expect((await one.vote('ana', 'reject', { comment: 'no' })).status).toBe('rejected');
    expect(await one.resultOf(one.task, 'ask')).toMatchObject({ decision: 'rejected', by: 'ana', comment: 'no' });
    const two = await asked({ quorum: 3, reject_quorum: 2 });
    expect((await two.vote('ana', 'reject')).status).toBe('open');
    expect((await two.vote('bob', 'reject')).status).toBe('rejected');
  });

  it('fails its step if it is rejected with on_reject: fail, and a reset asks again', async () => {
    const { tasker, task, vote, work, sql } = await asked({ on_reject: 'fail' });
    await vote('ana', 'reject', { comment: 'over budget' });
    const step = await tasker.getStep(task, 'ask');
    expect(step.currentState).toBe('error');
    expect(step.results?.error).toMatchObject({
      error_type: 'approval_rejected',
      message: 'rejected by ana: over budget',
    });
    await tasker.resetStep(task, 'ask');
    await work();
    const again = await tasker.approvals.get(task, 'ask');
    expect(again).toMatchObject({ status: 'open', votes: [] });
    expect((await vote('ana')).status).toBe('approved');
    await invariants(sql);
  });

  it('accepts one vote per person, who can change it until the decision', async () => {
    const { vote } = await asked({ quorum: 2, reject_quorum: 2 });
    await vote('ana', 'reject');
    expect(await vote('ana', 'approve', { comment: 'after all' })).toMatchObject({ approvals: 1, rejections: 0 });
    const approval = await vote('ana');
    expect(approval).toMatchObject({ status: 'open', approvals: 1 });
    expect(approval.votes).toMatchObject([{ by: 'ana', decision: 'approve', comment: null, changes: 2 }]);
  });

  it('accepts no votes after the decision, but confirms a repeated deciding vote', async () => {
    const { vote, task } = await asked();
    await vote('ana', 'approve', { form: { b: 1, a: [2] } });
    expect((await vote('ana', 'approve', { form: { a: [2], b: 1 } })).status).toBe('approved');
    expect(await code(vote('bob'))).toMatch(
      `wait_over: step ask of task ${task} no longer waits: it was approved by ana at 20`,
    );
    expect(await code(vote('ana', 'reject'))).toMatch(/^wait_over/);
  });

  it('accepts votes only from its assignees, by name or role', async () => {
    const { vote, task } = await asked({ assignees: ['ana', 'managers'], quorum: 2 });
    expect(await code(vote('bob'))).toBe(
      `forbidden: bob may not vote on step ask of task ${task}; its assignees are ana, managers; if bob has one of them as a role, pass it with --role, or use a credential that has it`,
    );
    expect(await code(vote('bob', 'approve', { roles: ['staff'] }))).toBe(
      `forbidden: bob may not vote on step ask of task ${task}; its assignees are ana, managers`,
    );
    expect((await vote('bob', 'approve', { roles: ['staff', 'managers'] })).votes).toMatchObject([
      { by: 'bob', as: 'managers' },
    ]);
    expect((await vote('cy', 'approve', { roles: ['managers'] })).status).toBe('approved');
  });

  it('validates the form of a vote, and adds it to the result', async () => {
    const form = { type: 'object', required: ['limit'], properties: { limit: { type: 'integer' } } };
    const { vote, resultOf, task } = await asked({ form });
    expect(await code(vote('ana'))).toMatch(
      /^bad_request: the form does not match the schema of step ask .*: must have required property 'limit'/,
    );
    expect(await code(vote('ana', 'approve', { form: { limit: 'x' } }))).toMatch(/\/limit must be integer/);
    await vote('ana', 'approve', { form: { limit: 5 } });
    expect(await resultOf(task, 'ask')).toMatchObject({ form: { limit: 5 }, votes: [{ form: { limit: 5 } }] });
  });

  it('ends with timed_out at its timeout, and late votes fail before and after the timeout is handled', async () => {
    const { vote, age, engine, resultOf, task, work, tasker, events } = await asked({ timeout: '2d', quorum: 2 });
    await vote('ana');
    await age('3 days');
    const late = await code(vote('bob'));
    expect(late).toMatch(/^wait_over: step ask .* it timed out at 20/);
    await engine.endDueWaits();
    expect(await code(vote('bob'))).toBe(late);
    const result = (await resultOf(task, 'ask')) as { at: string };
    expect(result).toMatchObject({ decision: 'timed_out', by: null, votes: [{ by: 'ana' }] });
    expect((await tasker.approvals.get(task, 'ask')).status).toBe('timed_out');
    await work();
    expect((await tasker.getTask(task)).status).toBe('complete');
    expect(await events()).toEqual(['approval.requested', 'approval.decided']);
  });

  it('sends exactly one reminder and one escalation at their due times', async () => {
    const { age, engine, tasker, task, events, vote, sql } = await asked({
      assignees: ['ana'],
      remind_after: '1d',
      escalate_after: '3d',
      escalate_to: ['boss'],
      timeout: '7d',
    });
    const due = async () => {
      await engine.endDueWaits();
      return (await events()).slice(1);
    };
    await age('23 hours');
    expect(await due()).toEqual([]);
    await age('2 hours');
    expect(await due()).toEqual(['approval.reminded']);
    expect(await due()).toEqual(['approval.reminded']);
    expect(await code(vote('boss'))).toMatch(/^forbidden/);
    await age('2 days');
    expect(await due()).toEqual(['approval.reminded', 'approval.escalated']);
    const approval = await tasker.approvals.get(task, 'ask');
    expect(approval).toMatchObject({
      assignees: ['ana', 'boss'],
      remindedAt: expect.any(String),
      escalatedAt: expect.any(String),
    });
    expect((await vote('boss')).status).toBe('approved');
    expect(await sql(`select 1 from tasker.wait where due_at is not null and ended_at is null`)).toEqual([]);
  });

  it('without a timeout is not due again after its reminder', async () => {
    const { age, engine, sql, events } = await asked({ remind_after: '1h' });
    await age('2 hours');
    await engine.endDueWaits();
    expect(await sql(`select due_at from tasker.wait`)).toEqual([{ due_at: null }]);
    expect(await events()).toEqual(['approval.requested', 'approval.reminded']);
  });

  it('times out without a reminder or an escalation if no process handled it for a week', async () => {
    const { age, engine, events } = await asked({ remind_after: '1d', escalate_after: '2d', timeout: '3d' });
    await age('7 days');
    await engine.endDueWaits();
    expect(await events()).toEqual(['approval.requested', 'approval.decided']);
  });

  it('can be reassigned, which drops the votes of people who are no longer assignees', async () => {
    const { tasker, task, vote } = await asked({ assignees: ['ana', 'bob', 'managers'], quorum: 2 });
    await vote('ana');
    await vote('cy', 'approve', { roles: ['managers'] }).catch(() => undefined);
    const other = await asked({ assignees: ['ana', 'bob'], quorum: 2 });
    await other.vote('ana');
    const approval = await other.tasker.approvals.reassign(other.task, 'ask', {
      to: ['bob', 'cy'],
      by: 'root',
      reason: 'ill',
    });
    expect(approval).toMatchObject({ assignees: ['bob', 'cy'], approvals: 0 });
    const [act] = (await other.tasker.audit({ action: 'approval_reassign' })).entries;
    expect(act).toMatchObject({ actor: 'root', reason: 'ill', step: 'ask', details: { dropped_votes: ['ana'] } });
    await other.tasker.approvals.reassign(other.task, 'ask', { to: [] });
    await other.vote('zoe');
    expect((await other.vote('yan')).status).toBe('approved');
    expect(await code(other.tasker.approvals.reassign(other.task, 'ask', { to: 'x' }))).toMatch(/^wait_over/);
    expect((await tasker.approvals.get(task, 'ask')).status).toBe('approved');
  });

  it('accepts votes while its task is paused, but not after its task was cancelled', async () => {
    const { tasker, task, vote, claim, create, work } = await asked();
    await tasker.pause({ task });
    expect(await tasker.approvals.get(task, 'ask')).toMatchObject({ paused: true });
    expect((await vote('ana')).status).toBe('approved');
    expect(await claim()).toEqual([]);
    const other = await create();
    await work();
    await tasker.cancelTask(other);
    expect(await code(tasker.approvals.vote(other, 'ask', { by: 'ana', decision: 'approve' }))).toMatch(
      /^wait_over: .* its task was cancelled at/,
    );
    expect((await tasker.approvals.get(other, 'ask')).status).toBe('ended');
  });

  it('accepts neither invalid votes nor votes on steps that do not wait for one', async () => {
    const { tasker, task, vote, create } = await asked();
    expect(await code(vote('ana', 'maybe' as 'approve'))).toBe(
      'bad_request: decision must be approve or reject, got "maybe"',
    );
    expect(await code(vote(''))).toMatch(/^bad_request: by must be/);
    expect(await code(vote('ana', 'approve', { comment: 7 }))).toMatch(/^bad_request: comment/);
    expect(await code(vote('ana', 'approve', { roles: 'x' }))).toMatch(/^bad_request: roles/);
    expect(await code(vote('ana', 'approve', { form: 'x'.repeat(300_000) }))).toMatch(
      /^bad_request: the form cannot be stored/,
    );
    const ask = (step: string, of = task) => code(tasker.approvals.vote(of, step, { by: 'a', decision: 'approve' }));
    expect(await ask('pay')).toBe(
      `illegal_transition: step pay of task ${task} is not an approval; its approvals are ask`,
    );
    expect(await ask('asc')).toMatch(/^step_not_found: .* did you mean ask\?$/);
    expect(await ask('ask', '0199aaaa-0000-7000-8000-00000000aaaa')).toMatch(/^task_not_found/);
    expect(await ask('ask', await create())).toMatch(/^illegal_transition: step ask .* does not wait for votes yet/);
  });

  it('accepts any Unicode in names, comments and forms', async () => {
    const { vote, resultOf, task } = await asked({ title: 'Überweisen? 💶', assignees: ['Zoë 🦊'] });
    await vote('Zoë 🦊', 'approve', { comment: 'да\n可以', form: { ключ: '🔑' } });
    expect(await resultOf(task, 'ask')).toMatchObject({ by: 'Zoë 🦊', comment: 'да\n可以', form: { ключ: '🔑' } });
  });
});

describe('the list of approvals', () => {
  it('contains the open approvals in pages from the oldest, and can be filtered by assignee and template', async () => {
    const { tasker, create, work } = await waitingBench(steps({ assignees: ['ana', 'managers'] }));
    const tasks: string[] = [];
    for (let i = 0; i < 5; i++) {
      tasks.push(await create());
      await work();
    }
    const first = await tasker.approvals.list({}, { limit: 3 });
    const second = await tasker.approvals.list({}, { limit: 3, cursor: first.nextCursor! });
    expect([...first.approvals, ...second.approvals].map(({ taskUuid }) => taskUuid)).toEqual(tasks);
    expect(second.nextCursor).toBeNull();
    for (const page of [first, second]) expect(page).toMatchObject({ total: 5, totalIsExact: true });
    expect(await tasker.approvals.list({ name: 'other' })).toMatchObject({ total: 0, totalIsExact: true });
    await tasker.approvals.vote(tasks[0]!, 'ask', { by: 'ana', decision: 'approve' });
    expect((await tasker.approvals.list({ assignee: 'managers', name: 'demo' })).approvals).toHaveLength(4);
    for (const filter of [{ assignee: 'bob' }, { name: 'other' }, { namespace: 'x' }])
      expect((await tasker.approvals.list(filter)).approvals).toEqual([]);
    expect((await tasker.approvals.list({ task: tasks[0] })).approvals).toMatchObject([{ status: 'approved' }]);
    expect(await code(tasker.approvals.list({ asignee: 'x' } as object))).toBe(
      'bad_request: approvals have no filter asignee; did you mean assignee?',
    );
    expect(await code(tasker.approvals.list({}, { cursor: 'x' }))).toMatch(/^bad_request: the cursor/);
    expect(await code(tasker.approvals.list({}, { limit: 0 }))).toMatch(/^bad_request: limit/);
  });
});
