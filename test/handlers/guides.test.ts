import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { PermanentError } from '../../src/index.ts';
import { discoverHandlers } from '../../src/registry/discover-handlers.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { parseTemplate } from '../../src/template/parse-template.ts';
import { runHandler, type TestContextOptions, type TestHandler, testTasker } from '../../src/testing/index.ts';
import { filesOn, projectOf } from '../examples/page-programs.ts';

/** Loads the handlers of a guide as its project would, and returns a function that runs one. */
async function handlersOf(page: string) {
  const folder = projectOf(page);
  const registry = new HandlerRegistry();
  await discoverHandlers(path.join(folder, 'handlers'), { registry });
  const run = async (name: string, options: TestContextOptions = {}) => {
    const handler = await registry.resolve(name);
    if (!handler) throw new Error(`no handler ${name}`);
    return runHandler(handler, options);
  };
  return { folder, registry, run };
}

/** Loads the workflow of a guide as its project would. */
async function workflowOf(page: string, stubs: Record<string, TestHandler> = {}) {
  const folder = projectOf(page);
  const kit = await testTasker({
    templates: path.join(folder, 'templates'),
    handlers: path.join(folder, 'handlers'),
    stubs,
    databaseUrl: inject('servers')[inject('postgres')]!,
  });
  onTestFinished(() => kit.stop());
  return { folder, kit };
}

/** Writes a file with this number of orders, whose amounts are 1, 2, 3 … */
function writeOrders(folder: string, count: number): string {
  const csv_path = path.join(folder, 'orders.csv');
  const rows = Array.from({ length: count }, (_, index) => `order-${index},${index + 1}`);
  writeFileSync(csv_path, ['id,amount', ...rows, ''].join('\n'));
  return csv_path;
}

const PAGES = ['docs/guide/decision-steps.md', 'docs/guide/batches.md'];

describe.each(PAGES)('%s', (page) => {
  it('has templates without errors or warnings, and a handler for each of their steps', async () => {
    const { registry } = await handlersOf(page);
    const templates = [...filesOn(page)].filter(([name]) => name.endsWith('.yaml'));
    expect(templates).toHaveLength(1);
    for (const [file, text] of templates) {
      const { template, problems } = parseTemplate(text, { file });
      expect(problems).toEqual([]);
      expect(template!.steps.filter(({ handler }) => !registry.isRegistered(handler.callable))).toEqual([]);
    }
  });

  it('shows valid JSON', () => {
    const text = `${readFileSync(page, 'utf8')}\n${readFileSync('docs/stored-results.md', 'utf8')}`;
    const blocks = text.matchAll(/^```json\n([\s\S]*?)^```$/gm);
    for (const [, json] of blocks) expect(JSON.parse(json!)).toBeTypeOf('object');
  });
});

describe('the handlers of the guide to decisions', () => {
  it('route by the amount, or skip the branches', async () => {
    const { run } = await handlersOf('docs/guide/decision-steps.md');
    const route = async (amount: number) =>
      (await run('expenses.route', { dependencyResults: { check: { amount } } })).result;
    expect(await route(0)).toMatchObject({
      decision_point_outcome: { type: 'no_branches' },
      reason: 'there is nothing to pay',
    });
    expect(await route(999)).toMatchObject({ steps_created: ['auto_approve'] });
    expect(await route(1000)).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names: ['manager_approval'] },
      steps_created: ['manager_approval'],
      routing_context: { route_type: 'manager' },
    });
    expect(await route(5000)).toMatchObject({ steps_created: ['manager_approval', 'finance_review'] });
  });

  it('join the branches that were chosen', async () => {
    const { run } = await handlersOf('docs/guide/decision-steps.md');
    const approved = await run('expenses.approve', {
      dependencyResults: { route: { routing_context: { route_type: 'manager' } } },
    });
    const { result } = await run('expenses.pay', { dependencyResults: { manager_approval: approved.result } });
    expect(result).toEqual({ approved_by: ['a person, as manager asks for'] });
  });
});

describe('the handlers of the guide to batches', () => {
  it('analyze, process with checkpoints, and summarize', async () => {
    const { folder, run } = await handlersOf('docs/guide/batches.md');
    const csv_path = writeOrders(folder, 150);

    const analyzed = (await run('imports.analyze', { inputData: { csv_path } })).result!;
    expect(analyzed).toMatchObject({ worker_count: 2, total_items: 150, batch_metadata: { csv_path } });
    const { cursor_configs } = analyzed.batch_processing_outcome as { cursor_configs: { batch_id: string }[] };

    const dependencyResults: Record<string, unknown> = { analyze_csv: analyzed };
    for (const cursor of cursor_configs) {
      const stepInputs = { cursor, is_no_op: false };
      let worked = await run('imports.process', { stepInputs, dependencyResults });
      while (worked.metadata.checkpoint_yield) {
        worked = await run('imports.process', { stepInputs, dependencyResults, checkpoint: worked.result });
      }
      dependencyResults[`process_csv_batch_${cursor.batch_id}`] = worked.result;
    }
    expect(dependencyResults.process_csv_batch_batch_000).toMatchObject({
      items_processed: 100,
      results: [{ sum: 5050 }],
    });
    expect(dependencyResults.process_csv_batch_batch_001).toMatchObject({
      items_processed: 50,
      results: [{ sum: 6275 }],
    });
    expect((await run('imports.summarize', { dependencyResults })).result).toEqual({
      batches: 2,
      rows: 150,
      success_rate: 1,
    });
  });

  it('do nothing for a file without rows', async () => {
    const { folder, run } = await handlersOf('docs/guide/batches.md');
    const csv_path = path.join(folder, 'empty.csv');
    writeFileSync(csv_path, 'id,amount\n');
    const analyze_csv = (await run('imports.analyze', { inputData: { csv_path } })).result;
    expect(analyze_csv).toMatchObject({ batch_processing_outcome: { type: 'no_batches' } });
    const placeholder = await run('imports.process', {
      stepInputs: { is_no_op: true },
      dependencyResults: { analyze_csv },
    });
    expect(placeholder.result).toMatchObject({ no_op: true });
    const dependencyResults = { analyze_csv, process_csv_batch_000: placeholder.result };
    expect((await run('imports.summarize', { dependencyResults })).result).toEqual({
      batches: 0,
      rows: 0,
      success_rate: 0,
    });
  });
});

describe('the workflow of the guide to decisions', () => {
  it.each([
    [0, ['check', 'route'], undefined],
    [999, ['check', 'route', 'auto_approve', 'pay'], ['rule']],
    [1000, ['check', 'route', 'manager_approval', 'pay'], ['a person, as manager asks for']],
    [
      5000,
      ['check', 'route', 'manager_approval', 'finance_review', 'pay'],
      ['a person, as dual asks for', 'a person, as dual asks for'],
    ],
  ])('with an amount of %s runs %j', async (amount, steps, approved_by) => {
    const { kit } = await workflowOf('docs/guide/decision-steps.md');
    const run = await kit.run({ context: { amount } });
    expect(run.task.status).toBe('complete');
    expect(Object.keys(run.steps)).toEqual(steps);
    expect(run.results.pay).toEqual(approved_by && { approved_by });
  });
});

describe('the workflow of the guide to batches', () => {
  it('processes a file in batches with checkpoints, and adds up the results', async () => {
    const { folder, kit } = await workflowOf('docs/guide/batches.md');
    const { task, steps, results } = await kit.run({ context: { csv_path: writeOrders(folder, 150) } });
    expect(task.status).toBe('complete');
    expect(results.process_csv_batch_batch_000).toMatchObject({ results: [{ sum: 5050 }] });
    expect(results.process_csv_batch_batch_001).toMatchObject({ results: [{ sum: 6275 }] });
    expect(steps.process_csv_batch_batch_000!.attempts).toBe(1);
    expect(results.summarize).toEqual({ batches: 2, rows: 150, success_rate: 1 });
  });

  it('adds up the results of the other workers if a worker failed permanently', async () => {
    const { folder, kit } = await workflowOf('docs/guide/batches.md', {
      'imports.process': ({ stepInputs }) => {
        const { batch_id } = stepInputs.cursor as { batch_id: string };
        if (batch_id === 'batch_001') throw new PermanentError('row 101 is broken');
        return { items_processed: 100, items_succeeded: 100 };
      },
    });
    const failed = await kit.run({ context: { csv_path: writeOrders(folder, 250) } });
    expect(failed.errors).toMatchObject({ process_csv_batch_batch_001: { message: 'row 101 is broken' } });
    expect(failed.results.summarize).toEqual({ batches: 2, rows: 200, success_rate: 1 });
  });

  it('completes for a file without rows', async () => {
    const { folder, kit } = await workflowOf('docs/guide/batches.md');
    const { task, results } = await kit.run({ context: { csv_path: writeOrders(folder, 0) } });
    expect(task.status).toBe('complete');
    expect(results.summarize).toEqual({ batches: 0, rows: 0, success_rate: 0 });
  });
});
