import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { leadsTo, sensitivePaths } from '../../src/model/sensitive.ts';
import { template } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const ship = defineHandler('ship', {}, () => ({ no: 'T-1', parcels: [{ kg: 2 }, { kg: 3 }] }));
const fails = defineHandler('fails', {}, () => {
  throw new Error('no');
});
const ONCE = { retry: { max_attempts: 1 } };

async function run(task: Record<string, unknown>, context: Record<string, unknown> = {}) {
  const made = await shared.setup({ ship: [] }, { handlers: [ship], task });
  const { taskUuid } = await made.tasker.createTask({ ...made.demo, context });
  const done = await made.tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  return { ...made, taskUuid, done };
}

describe('the output of a task', () => {
  it('is computed from the context and the results when a complete task is read, and is not in lists', async () => {
    const output = {
      tracking: 'steps.ship.no',
      kg: 'steps.ship.parcels.map(p, p.kg)',
      id: 'context.id',
      of: 'task.uuid',
    };
    const { tasker, taskUuid, done, demo } = await run({ output }, { id: 'A-1' });
    const expected = { tracking: 'T-1', kg: [2, 3], id: 'A-1', of: taskUuid };
    expect(done).toMatchObject({ status: 'complete', output: expected });
    expect(await tasker.getTask(taskUuid)).toEqual(done);
    expect((await tasker.getTaskWithSteps(taskUuid)).task.output).toEqual(expected);
    const tasks = await tasker.listTasks({ namespace: demo.namespace });
    expect(tasks).toHaveLength(1);
    expect(tasks[0]).not.toHaveProperty('output');
  });

  it('follows a result that an operator has corrected', async () => {
    const { tasker, taskUuid } = await run({ output: { tracking: 'steps.ship.no' } });
    await tasker.completeStep(taskUuid, 'ship', { actor: 'ada', reason: 'typo', result: { no: 'T-2' } });
    expect((await tasker.getTask(taskUuid)).output).toEqual({ tracking: 'T-2' });
  });

  it('is absent, with the reason, if an expression fails or the schema does not match; the state stays', async () => {
    const missing = await run({ output: { a: '1', gone: 'steps.ship.gone' } });
    expect(missing.done).toMatchObject({
      status: 'complete',
      outputError: 'output.gone: steps.ship.gone does not exist; test it first with has(steps.ship.gone)',
    });
    expect(missing.done).not.toHaveProperty('output');
    const schema = { type: 'object', properties: { no: { type: 'integer' } }, required: ['no'] };
    const wrong = await run({ output: { no: 'steps.ship.no' }, output_schema: schema });
    expect(wrong.done).toMatchObject({
      status: 'complete',
      outputError: 'the output does not match output_schema: /no must be integer',
    });
    expect(wrong.done).not.toHaveProperty('output');
  });

  it('does not exist while a task is open, blocked or cancelled, or if its template has none', async () => {
    const steps = { ship: [], fails: { dependencies: ['ship'], ...ONCE } };
    const { tasker, demo } = await shared.setup(steps, { handlers: [ship, fails], task: { output: { a: '1' } } });
    const { taskUuid } = await tasker.createTask(demo);
    const blocked = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect(blocked.status).toBe('blocked_by_failures');
    await tasker.cancelTask(taskUuid, { actor: 'ada', reason: 'test' });
    const { done: without } = await run({});
    for (const task of [blocked, await tasker.getTask(taskUuid), without]) {
      expect(task).not.toHaveProperty('output');
      expect(task).not.toHaveProperty('outputError');
    }
  });

  it('has a reason if it reads results that are too large, also when another task is read with it', async () => {
    const big = defineHandler('big', {}, ({ context }) => ({
      text: 'x'.repeat(Number(context.inputData.size)),
      no: 1,
    }));
    const output = { no: 'steps.a.no + steps.b.no' };
    const steps = { a: { handler: 'big' }, b: { handler: 'big' } };
    const { tasker, demo } = await shared.setup(steps, { handlers: [big], task: { output } });
    const tasks = await Promise.all(
      [3_000_000, 5_000_000, 3_000_000].map((size) => tasker.createTask({ ...demo, context: { size } })),
    );
    await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 40_000 })));
    const done = await tasker.engine.getTasks(tasks.map(({ taskUuid }) => taskUuid));
    const bySize = new Map(done.map((task) => [task.taskUuid, task]));
    const outputs = tasks.map(({ taskUuid }) => bySize.get(taskUuid)!).map((task) => task.output ?? task.outputError);
    expect(outputs).toEqual([{ no: 2 }, expect.stringMatching(/larger than 8 MiB together/), { no: 2 }]);
  });

  it('is read with many tasks of several templates by one statement for their results', async () => {
    const names = ['one', 'two'].map((name) => ({ namespace: 'outputs', name, version: '1.0.0' }));
    const templates = names.map((name, i) =>
      template({ ship: [] }, { ...name, output: { no: `steps.ship.no + "${i}"` } }),
    );
    const { tasker } = await shared.setup({ ship: [] }, { handlers: [ship], templates });
    const tasks = await Promise.all(names.map((name) => tasker.createTask(name)));
    const done = await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })));
    expect(done.map(({ output }) => output)).toEqual([{ no: 'T-10' }, { no: 'T-11' }]);
  });
});

describe('an expression reads a sensitive value', () => {
  const paths = sensitivePaths(['card.number', 'customers.*.email', 'all.*']);
  it.each([
    [['card', 'number'], true],
    [['card'], true],
    [[], true],
    [['card', 'number', 'first'], true],
    [['card', null], true],
    [['card', '0', 'number'], true],
    [['customers', '0', 'email'], true],
    [['customers', null, 'id'], false],
    [['card', 'brand'], false],
    [['other'], false],
    [['all', 'x', 'y'], true],
  ])('at %j: %s', (path, expected) => {
    expect(leadsTo(paths, path)).toBe(expected);
  });
});
