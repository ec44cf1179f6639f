import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { DEMO, invariants, setup, states, template } from '../support/setup.ts';

const decide = (names: unknown) => ({ decision_point_outcome: { type: 'create_steps', step_names: names } });
const NO_BRANCHES = { decision_point_outcome: { type: 'no_branches' }, reason: 'nothing to do' };

const plain = (name: string) =>
  defineHandler(name, {}, ({ context }) => ({ by: name, saw: context.getDependencyResultKeys() }));

/** start → route (decision) → a | b | c, which `join` joins, and then `last`. */
const ROUTE = {
  start: [],
  route: { type: 'decision', dependencies: ['start'] },
  a: ['route'],
  b: ['route'],
  c: ['route'],
  join: { type: 'deferred_convergence', dependencies: ['a', 'b', 'c'] },
  last: ['join'],
};

async function run(steps: Parameters<typeof template>[0], outcomes: Record<string, unknown>) {
  const handlers = Object.keys(steps).map((name) =>
    name in outcomes ? defineHandler(name, {}, () => outcomes[name]) : plain(name),
  );
  const { tasker, sql } = await setup({ templates: template(steps), handlers });
  const { taskUuid } = await tasker.createTask(DEMO);
  const task = await tasker.waitForTask(taskUuid, { timeoutMs: 10_000 });
  await invariants(sql);
  return { tasker, sql, taskUuid, status: task.status, states: await states(tasker, taskUuid) };
}

describe('a decision', () => {
  it('a decision creates the steps that it names, and the convergence waits only for those', async () => {
    const { tasker, taskUuid, status, states } = await run(ROUTE, { route: decide(['a', 'c']) });
    expect(status).toBe('complete');
    expect(states).toEqual({
      start: 'complete',
      route: 'complete',
      a: 'complete',
      c: 'complete',
      join: 'complete',
      last: 'complete',
    });
    const join = await tasker.getStep(taskUuid, 'join');
    expect(join.results!.result).toEqual({ by: 'join', saw: ['start', 'route', 'a', 'c'] });
    expect(join.totalParents).toBe(3);
  });

  it('a decision with no_branches creates no steps and no convergence, and the task completes', async () => {
    const { status, states } = await run(ROUTE, { route: NO_BRANCHES });
    expect(status).toBe('complete');
    expect(states).toEqual({ start: 'complete', route: 'complete' });
  });

  it.each([
    [
      'a name that is not a step',
      decide(['a', 'bb']),
      /"bb" is not a step; did you mean b\? Possible steps are a, b, c$/,
    ],
    ['a step upstream', decide(['start']), /"start" is not downstream of this decision.* Possible steps are a, b, c$/],
    ['a convergence', decide(['join']), /"join" is not downstream of this decision, or is created by other rules/],
    ['no names', decide([]), /step_names is empty; use no_branches/],
    ['names that are not a list', decide('a'), /step_names must be a list of step names, got "a"/],
    ['a name that is not a string', decide(['a', 7]), /step_names\[1\] must be the name of a step, got 7/],
    [
      'an unknown type',
      { decision_point_outcome: { type: 'maybe' } },
      /type must be create_steps or no_branches, got "maybe"/,
    ],
    ['no outcome', { ok: true }, /must have decision_point_outcome, an object; got nothing/],
    ['101 names', decide(Array.from({ length: 101 }, (_, i) => `s${i}`)), /names 101 steps; at most 100 are allowed/],
  ])('a decision with an invalid outcome fails permanently and gives the reason: %s', async (_, outcome, message) => {
    const { tasker, taskUuid, status, states } = await run(ROUTE, { route: outcome });
    expect(status).toBe('blocked_by_failures');
    expect(states).toEqual({ start: 'complete', route: 'error' });
    const { error } = (await tasker.getStep(taskUuid, 'route')).results!;
    expect(error).toMatchObject({ error_type: 'validation_error', retryable: false });
    expect(error!.message).toMatch(message);
  });

  it('a convergence after two nested decisions waits for the second decision', async () => {
    const steps = {
      start: [],
      first: { type: 'decision', dependencies: ['start'] },
      quick: ['first'],
      slow: ['first'],
      second: { type: 'decision', dependencies: ['slow'] },
      deep: ['second'],
      other: ['second'],
      join: { type: 'deferred_convergence', dependencies: ['quick', 'deep', 'other'] },
    };
    const both = await run(steps, { first: decide(['quick', 'slow']), second: decide(['deep']) });
    expect(both.states).toEqual({
      start: 'complete',
      first: 'complete',
      quick: 'complete',
      slow: 'complete',
      second: 'complete',
      deep: 'complete',
      join: 'complete',
    });
    const { result } = (await both.tasker.getStep(both.taskUuid, 'join')).results!;
    expect((result as { saw: string[] }).saw.sort()).toEqual(['deep', 'first', 'quick', 'second', 'slow', 'start']);
    const none = await run(steps, { first: decide(['quick', 'slow']), second: NO_BRANCHES });
    expect(none.states).toMatchObject({ quick: 'complete', second: 'complete', join: 'complete' });
    const quick = await run(steps, { first: decide(['quick']) });
    expect(quick.states).toEqual({ start: 'complete', first: 'complete', quick: 'complete', join: 'complete' });
  });

  it('a decision creates its branches when an operator completes it', async () => {
    const { tasker, taskUuid, sql } = await run(ROUTE, { route: { wrong: true } });
    await expect(tasker.completeStep(taskUuid, 'route', { result: decide(['x']) })).rejects.toMatchObject({
      code: 'bad_request',
    });
    await tasker.completeStep(taskUuid, 'route', { result: decide(['b']) });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 10_000 })).status).toBe('complete');
    expect(await states(tasker, taskUuid)).toMatchObject({ b: 'complete', join: 'complete', last: 'complete' });
    await invariants(sql);
  });
});
