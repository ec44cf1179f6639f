import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { mustParseTemplate } from '../../src/template/parse-template.ts';
import { DEMO, setup, template } from '../support/setup.ts';

const attempts = (max_attempts: number) => template({ a: { retry: { max_attempts } }, b: ['a'] });
const PRODUCTION = { worker: false, environment: 'production' } as const;

/** Returns the maximum number of attempts of step a in new tasks. */
async function inUse(tasker: Awaited<ReturnType<typeof setup>>['tasker']): Promise<number | undefined> {
  const { template: found } = await tasker.engine.templates.newest(DEMO.namespace, DEMO.name, DEMO.version);
  return found.steps[0]?.retry.maxAttempts;
}

describe('in production, a program with different content for a registered version', () => {
  it('refuses to start, names the differences and both solutions, and changes nothing', async () => {
    const { tasker, another, sql } = await setup({ ...PRODUCTION, templates: [attempts(3)] });
    const fresh = template({ a: [] }, { name: 'fresh' });
    const start = another({ templates: [fresh, attempts(5)] });
    await expect(start).rejects.toMatchObject({
      code: 'template_changed',
      message: [
        'template test/demo@1.0.0 is registered with different content:',
        '  steps.a.retry.max_attempts: 3 → 5',
        'give it a new version, or start with --replace (replaceTemplates: true) to replace the registered content; running tasks keep theirs',
      ].join('\n'),
      details: {
        template: 'test/demo@1.0.0',
        changes: [{ path: 'steps.a.retry.max_attempts', change: 'changed', from: 3, to: 5 }],
      },
    });
    expect(await inUse(tasker)).toBe(3);
    expect(await sql('select name from tasker.template')).toEqual([{ name: 'demo' }]);
    await expect(tasker.registerTemplates(attempts(5))).rejects.toMatchObject({ code: 'template_changed' });
  });

  it('claims no step before it refuses, and leaves running processes alone', async () => {
    const { tasker, another } = await setup({ ...PRODUCTION, templates: [attempts(3)] });
    const by: string[] = [];
    const named = (worker: string) =>
      ['a', 'b'].map((name) => defineHandler(name, {}, () => ({ by: by.push(worker) && worker })));
    const { taskUuid } = await tasker.createTask(DEMO);
    const start = another({ templates: [attempts(5)], handlers: named('new'), worker: true });
    await expect(start).rejects.toMatchObject({ code: 'template_changed' });
    expect([by, await tasker.getHistory(taskUuid), await tasker.listWorkers()]).toEqual([[], [], []]);
    const old = await another({ templates: [attempts(3)], handlers: named('old'), worker: true });
    await expect(another({ templates: [attempts(5)] })).rejects.toMatchObject({ code: 'template_changed' });
    const replacing = await another({ templates: [attempts(5)], replaceTemplates: true });
    const later = await replacing.createTask(DEMO);
    for (const id of [taskUuid, later.taskUuid])
      expect((await old.waitForTask(id, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(by).toEqual(['old', 'old', 'old', 'old']);
  });

  it('replaces the content with replaceTemplates, and starts with a new version', async () => {
    const { tasker, another } = await setup({ ...PRODUCTION, templates: [attempts(3)] });
    const raised = template({ a: { retry: { max_attempts: 5 } }, b: ['a'] }, { version: '1.0.1' });
    await another({ templates: [raised] });
    expect(await inUse(tasker)).toBe(3);
    const replacing = await another({ templates: [attempts(5)], replaceTemplates: true });
    expect(await inUse(replacing)).toBe(5);
    await replacing.registerTemplates(attempts(7), { replace: true });
    expect(await inUse(replacing)).toBe(7);
  });

  it('that the version had before starts, and new tasks keep the content that replaced it', async () => {
    const { another } = await setup({ ...PRODUCTION, templates: [attempts(3)] });
    await another({ templates: [attempts(5)], replaceTemplates: true });
    const restarted = await another({ templates: [attempts(3)] });
    const later = await another({ templates: undefined });
    expect([await inUse(restarted), await inUse(later)]).toEqual([5, 5]);
    await expect(another({ templates: [attempts(4)] })).rejects.toMatchObject({ code: 'template_changed' });
  });

  it('that the version had before with its steps in another order runs the right handlers of its tasks', async () => {
    const { tasker, another } = await setup({ ...PRODUCTION, templates: [template({ a: [], b: [] })] });
    const { taskUuid } = await tasker.createTask(DEMO);
    await another({ templates: [attempts(5)], replaceTemplates: true });
    const handlers = ['a', 'b'].map((name) => defineHandler(name, {}, () => ({ by: name })));
    await another({ templates: [template({ b: [], a: [] })], handlers, worker: true });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect((await tasker.getSteps(taskUuid)).map(({ name, results }) => [name, results?.result])).toEqual([
      ['a', { by: 'a' }],
      ['b', { by: 'b' }],
    ]);
  });

  it('is rejected even if two start at the same time', async () => {
    const { another } = await setup(PRODUCTION);
    for (let round = 0; round < 5; round++) {
      const of = (max_attempts: number) => template({ a: { retry: { max_attempts } } }, { name: `race_${round}` });
      const starts = await Promise.allSettled([another({ templates: [of(2)] }), another({ templates: [of(4)] })]);
      expect(starts.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const refused = starts.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
      expect(refused.reason).toMatchObject({ code: 'template_changed' });
    }
  });
});

describe('content that is the same for tasks', () => {
  it('starts: comments, descriptions, metadata, the order of keys and of steps, and spellings do not matter', async () => {
    const before = mustParseTemplate(`
name: same
namespace_name: test
version: "1.0.0"
description: Sells.
metadata: { author: ann }
input_schema: { type: object, title: Order, properties: { description: { type: string, description: The text. } } }
steps:
  - { name: a, handler: { callable: a }, description: First., retry: { max_attempts: 3 } }
  - { name: b, handler: { callable: b }, dependencies: [a] }
  - { name: c, handler: { callable: c }, dependencies: [a, b] }
`);
    const after = mustParseTemplate(`
# Sells things.
version: "1.0.0"
name: same
namespace_name: test
steps:
  - { name: c, depends_on: [b, a], handler: { callable: c } }
  - { name: a, description: The first step., handler: { callable: a } }
  - { name: b, dependencies: [a], handler: { callable: b } }
input_schema: { properties: { description: { type: string, description: A text. } }, type: object }
`);
    const { another } = await setup({ ...PRODUCTION, templates: [before] });
    await another({ templates: [after] });
    const noText = mustParseTemplate(
      JSON.stringify({
        name: 'same',
        namespace: 'test',
        version: '1.0.0',
        input_schema: { type: 'object', properties: {} },
        steps: [].concat(),
      }).replace('"steps":[]', '"steps":[{"name":"a","handler":"a"}]'),
    );
    await expect(another({ templates: [noText] })).rejects.toMatchObject({
      code: 'template_changed',
      message: expect.stringContaining('  input_schema.properties.description: {"type":"string"} → none'),
    });
  });
});

it('outside production, different content replaces the registered content with a warning', async () => {
  const { another } = await setup({ worker: false, templates: [attempts(3)] });
  const changed = await another({ templates: [attempts(5)] });
  expect(await inUse(changed)).toBe(5);
  const back = await another({ templates: [attempts(3)] });
  expect(await inUse(back)).toBe(3);
});
