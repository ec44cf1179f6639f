import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { template } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const card = defineHandler('card', {}, () => ({ number: '4111 1111', brand: 'visa' }));

/** Runs a parent whose step has these fields, with a child of this template. Returns the step. */
async function run(fields: object, child: Record<string, unknown>, parent: Record<string, unknown> = {}) {
  const { tasker, demo } = await shared.setup(
    { pay: { type: 'task', handler: undefined, template: 'child', ...fields } } as never,
    { handlers: [card], task: { lifecycle: { on_blocked: 'error' }, ...parent } },
  );
  const { inner = {}, ...more } = child;
  await tasker.registerTemplates(
    template(
      { card: { handler: 'card', ...(inner as object) } },
      { name: 'child', namespace: demo.namespace, ...more },
    ),
  );
  const { taskUuid } = await tasker.createTask({ ...demo, context: { number: '4111 1111' } });
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const { results, currentState } = await tasker.getStep(taskUuid, 'pay');
  const { children } = await tasker.getChildTasks(taskUuid);
  return { state: currentState, error: results?.error, children: children.length };
}

const HIDDEN = { inner: { sensitive: ['number'] } };
const OUTPUT = { ...HIDDEN, output: { number: 'steps.card.number', brand: 'steps.card.brand' } };

describe('a sensitive value', () => {
  it.each([
    ['in the output of the child', {}, OUTPUT, 'number'],
    ['in the output of a child that may fail', { on_failure: 'continue' }, OUTPUT, 'output.number'],
    [
      'in the output of a child that may fail, with a path that hides nothing',
      { on_failure: 'continue', sensitive: ['number'] },
      OUTPUT,
      'output.number',
    ],
    ['in the results of a child without output', {}, HIDDEN, 'card'],
  ])('%s fails the step before the child starts, unless the step declares it', async (_, fields, child, path) => {
    const refused = await run(fields, child);
    expect(refused).toMatchObject({ error: { error_type: 'sensitive_undeclared' }, children: 0 });
    expect(refused.error!.message).toContain(`add \`sensitive: [${path}]\` to the step`);
    expect(await run({ ...fields, sensitive: [path] }, child)).toMatchObject({ state: 'complete', children: 1 });
  });

  it('in the context of the parent must be declared by the template of the child', async () => {
    const fields = { context: { number: 'context.number' } };
    const parent = { sensitive: ['number'] };
    const refused = await run(fields, {}, parent);
    expect(refused).toMatchObject({ error: { error_type: 'sensitive_undeclared' }, children: 0 });
    expect(refused.error!.message).toContain('add `sensitive: [number]` to that template');
    expect(await run(fields, { sensitive: ['number'] }, parent)).toMatchObject({ state: 'complete', children: 1 });
  });
});
