import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { discoverHandlers } from '../../src/registry/discover-handlers.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { parseTemplate } from '../../src/template/parse-template.ts';
import { runHandler, type TestContextOptions } from '../../src/testing/index.ts';
import { filesOn, projectOf } from '../examples/page-programs.ts';

/** The handlers of a guide, run as its project would load them. */
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

const PAGES = ['docs/guide/decisions.md', 'docs/guide/batches.md'];

describe.each(PAGES)('%s', (page) => {
  it('has templates in which nothing is wrong or odd, and a handler for each of their steps', async () => {
    const { registry } = await handlersOf(page);
    const templates = [...filesOn(page)].filter(([name]) => name.endsWith('.yaml'));
    expect(templates).toHaveLength(1);
    for (const [file, text] of templates) {
      const { template, problems } = parseTemplate(text, { file });
      expect(problems).toEqual([]);
      expect(template!.steps.filter(({ handler }) => !registry.isRegistered(handler.callable))).toEqual([]);
    }
  });

  it('shows JSON that can be read', () => {
    const blocks = readFileSync(page, 'utf8').matchAll(/^```json\n([\s\S]*?)^```$/gm);
    for (const [, text] of blocks) expect(JSON.parse(text!)).toBeTypeOf('object');
  });
});

describe('the handlers of the guide to decisions', () => {
  it('route by the amount, or skip', async () => {
    const { run } = await handlersOf('docs/guide/decisions.md');
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
    const { run } = await handlersOf('docs/guide/decisions.md');
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
    const csv_path = path.join(folder, 'orders.csv');
    const rows = Array.from({ length: 150 }, (_, index) => `order-${index},${index + 1}`);
    writeFileSync(csv_path, ['id,amount', ...rows, ''].join('\n'));

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
    expect(dependencyResults.process_csv_batch_001).toMatchObject({ items_processed: 100, results: [{ sum: 5050 }] });
    expect(dependencyResults.process_csv_batch_002).toMatchObject({ items_processed: 50, results: [{ sum: 6275 }] });
    expect((await run('imports.summarize', { dependencyResults })).result).toEqual({
      batches: 2,
      rows: 150,
      success_rate: 1,
    });
  });

  it('have nothing to do for a file without rows', async () => {
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
