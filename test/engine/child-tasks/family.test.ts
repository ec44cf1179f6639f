import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const ok = defineHandler('ok', {}, () => ({ ok: true }));
const fails = defineHandler('fails', {}, () => {
  throw new Error('no money for card 4111');
});

/** Starts a parent whose step waits for a child with these steps. */
async function bench(inner: Record<string, object>, { namespace }: { namespace?: string } = {}) {
  const made = await shared.setup(
    {
      bill: { type: 'task', handler: undefined, template: `${namespace ? `${namespace}/` : ''}inner` },
      after: ['bill'],
    } as never,
    { handlers: [ok, fails] },
  );
  const own = namespace ?? made.demo.namespace;
  await made.tasker.registerTemplates(template(inner as never, { name: 'inner', namespace: own }));
  const { taskUuid } = await made.tasker.createTask(made.demo);
  const [child] = await until(
    async () => (await made.tasker.getChildTasks(taskUuid)).children,
    (children) => children.length > 0,
  );
  return { ...made, taskUuid, child: child!.taskUuid };
}

const BLOCKED = { work: { handler: 'fails', retry: { max_attempts: 1 } } };

describe('the family of a task', () => {
  it('names its parent, its root and its children', async () => {
    const { tasker, demo, taskUuid, child } = await bench(BLOCKED);
    await until(
      () => tasker.getTask(child),
      ({ status }) => status === 'blocked_by_failures',
    );
    expect(await tasker.getChildTasks(taskUuid)).toMatchObject({
      parent: null,
      rootTaskUuid: null,
      children: [{ taskUuid: child, step: 'bill', name: 'inner', status: 'blocked_by_failures', awaited: true }],
      openChildren: 1,
    });
    expect(await tasker.getChildTasks(child)).toMatchObject({
      parent: { taskUuid, step: 'bill', name: 'demo', namespace: demo.namespace },
      rootTaskUuid: taskUuid,
      children: [],
      openChildren: 0,
    });
  });

  it('is found by conditions of a search', async () => {
    const { tasker, demo, taskUuid } = await bench(BLOCKED);
    const found = async (filter: object) =>
      (await tasker.listTasks(filter, {})).tasks.map(({ name, status }) => `${name} ${status}`);
    await until(
      () => found({ parentTask: taskUuid }),
      (tasks) => tasks[0] === 'inner blocked_by_failures',
    );
    expect(await found({ rootTask: taskUuid, namespace: demo.namespace })).toEqual(['inner blocked_by_failures']);
    expect(await found({ rootTask: taskUuid, status: 'complete' })).toEqual([]);
    const [other] = (await tasker.getChildTasks(taskUuid)).children;
    expect(await found({ parentTask: other!.taskUuid })).toEqual([]);
    await expect(found({ parentTask: 'x' })).rejects.toThrow(/parentTask is not a UUID/);
  });

  it('explains a task by the failed step of its child, without the message of the failure', async () => {
    const { tasker, taskUuid, child } = await bench(BLOCKED);
    const { summary } = await until(
      () => tasker.why(taskUuid),
      (why) => why.summary.includes('cannot continue'),
    );
    expect(summary).toContain(`child task ${child}`);
    expect(summary).toContain('the child task cannot continue: work failed permanently; an operator must act');
    expect(summary).not.toContain('4111');
  });

  it('explains only the state of a child in another namespace', async () => {
    const { tasker, taskUuid } = await bench(BLOCKED, { namespace: 'elsewhere' });
    const { summary } = await until(
      () => tasker.why(taskUuid),
      (why) => why.summary.includes('the child task'),
    );
    expect(summary).toContain('the child task is ');
    expect(summary).not.toContain('work');
  });

  it('keeps a child until its root task has ended', async () => {
    const { tasker, taskUuid, child } = await bench({ work: { handler: 'ok' } });
    const after = { step: 'after' };
    await until(
      () => tasker.getStep(taskUuid, 'bill'),
      ({ currentState }) => currentState === 'complete',
    );
    expect((await tasker.getStep(taskUuid, after.step)).currentState).not.toBe('complete');
    await expect(tasker.deleteTask(child)).rejects.toMatchObject({
      code: 'illegal_transition',
      message: expect.stringContaining(`its root task ${taskUuid} has not ended`),
    });
    await tasker.resolveTask(taskUuid);
    await tasker.deleteTask(child);
    expect((await tasker.getChildTasks(taskUuid)).children).toEqual([]);
  });
});
