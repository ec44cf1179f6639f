// These TypeScript samples of the documentation run as handlers without an engine.
import { describe, expect, it } from 'vitest';
import {
  CursorConfig,
  dependencyResult,
  StepContext,
  type StepContextParams,
  type StepHandlerClass,
  type StepHandlerResult,
} from '../../src/index.ts';
import {
  ApprovalRouterHandler,
  CsvAggregatorHandler,
  CsvAnalyzerHandler,
  CsvBatchProcessorHandler,
  LinearStep1Handler,
  MyHandler,
  NoBranchesHandler,
  RoutingDecisionHandler,
  TransformDataHandler,
} from '../support/page-samples.ts';

async function run(handler: StepHandlerClass, params: Partial<StepContextParams> = {}): Promise<StepHandlerResult> {
  return new handler().call(new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'x', ...params }));
}
const done = (result: object) => dependencyResult({ stepUuid: 's', result });

const ROUTES: [amount: number | undefined, steps: string[], routeType: string][] = [
  [undefined, ['auto_approve'], 'auto'],
  [999, ['auto_approve'], 'auto'],
  [1000, ['manager_approval'], 'manager'],
  [4999, ['manager_approval'], 'manager'],
  [5000, ['manager_approval', 'finance_review'], 'dual'],
];

describe('the decision samples', () => {
  it.each(ROUTES)('route an amount of %s to %j', async (amount, steps, routeType) => {
    const inputData = amount === undefined ? {} : { amount };
    expect((await run(RoutingDecisionHandler, { inputData })).result).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names: steps },
      steps_created: steps,
      routing_context: { route_type: routeType },
    });
    expect((await run(ApprovalRouterHandler, { inputData })).result).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names: steps },
      steps_created: steps,
    });
  });

  it('pass the routing context to a branch', () => {
    const context = new StepContext({
      taskUuid: 't',
      stepUuid: 's',
      handlerName: 'auto_approve',
      dependencyResults: { routing_decision: done({ routing_context: { route_type: 'auto' } }) },
    });
    expect(context.getDependencyField('routing_decision', 'routing_context', 'route_type')).toBe('auto');
  });

  it('can choose no branch', async () => {
    expect((await run(NoBranchesHandler)).result).toMatchObject({
      decision_point_outcome: { type: 'no_branches' },
      reason: 'condition not met',
    });
  });
});

describe('the composition sample', () => {
  /** Replaces the HTTP client of the sample with a fake service. */
  class WithFakeService extends MyHandler {
    constructor() {
      super();
      this.httpClient = {
        fetch: async ({ pathname }) => Response.json({ path: pathname }, { headers: { 'set-cookie': 'id=1' } }),
      };
    }
  }

  it('has the methods of both mixins', async () => {
    expect((await run(WithFakeService)).result).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names: ['next_step'] },
      steps_created: ['next_step'],
      routing_context: {
        status_code: 200,
        headers: { 'content-type': 'application/json' },
        body: { path: '/api/endpoint' },
      },
    });
    expect(new MyHandler().capabilities).toEqual(['process', 'http', 'api', 'decision', 'routing']);
  });
});

interface Stored {
  batch_id: string;
  start_cursor: number;
  end_cursor: number;
  batch_size: number;
}

describe('the batch samples', () => {
  const cursorsOf = ({ result }: StepHandlerResult): Stored[] => {
    const outcome = result?.batch_processing_outcome as { cursor_configs?: Stored[] };
    return outcome.cursor_configs ?? [];
  };

  it.each([
    ['small.csv', [100, 100, 50]],
    ['large.csv', [200, 200, 200, 200, 200]],
  ])('split %s into batches', async (csvPath, sizes) => {
    const analyzed = await run(CsvAnalyzerHandler, { inputData: { csv_path: csvPath } });
    expect(cursorsOf(analyzed).map(({ batch_size }) => batch_size)).toEqual(sizes);
    expect(analyzed.result).toMatchObject({
      batch_processing_outcome: { type: 'create_batches', worker_template_name: 'process_csv_batch' },
      batch_metadata: { csv_path: csvPath },
    });
  });

  it('process each batch and add up the results', async () => {
    const analyzed = await run(CsvAnalyzerHandler, { inputData: { csv_path: 'small.csv' } });
    const dependencyResults: Record<string, object> = { analyze_csv: done(analyzed.result!) };
    for (const cursor of cursorsOf(analyzed)) {
      const stepInputs = {
        cursor,
        batch_metadata: { cursor_field: 'row_number', failure_strategy: 'continue_on_failure' },
        is_no_op: false,
        __template_step_name: 'process_csv_batch',
      };
      const worked = await run(CsvBatchProcessorHandler, { stepInputs, dependencyResults });
      expect(worked.metadata).toEqual({ csv_path: 'small.csv', batch_worker: true });
      dependencyResults[`process_csv_batch_${cursor.batch_id}`] = done(worked.result!);
    }
    expect((await run(CsvAggregatorHandler, { dependencyResults })).result).toMatchObject({
      total_processed: 250,
      total_succeeded: 247,
      total_failed: 3,
      batch_count: 3,
      success_rate: 247 / 250,
    });
  });

  it('do nothing for an empty file', async () => {
    const analyzed = await run(CsvAnalyzerHandler, { inputData: { csv_path: 'empty.csv' } });
    expect(analyzed.result).toMatchObject({
      batch_processing_outcome: { type: 'no_batches' },
      batch_metadata: { csv_path: 'empty.csv' },
    });
    const placeholder = await run(CsvBatchProcessorHandler, { stepInputs: { is_no_op: true } });
    expect(placeholder).toMatchObject({
      result: { items_processed: 0, items_succeeded: 0 },
      metadata: { no_op: true, batch_worker: true },
    });
  });

  it('can have a single cursor', () => {
    const cursor = CursorConfig({ batchSize: 100, startCursor: 0, endCursor: 1000 });
    expect(cursor).toMatchObject({ batchSize: 100, startCursor: 0, endCursor: 1000 });
  });
});

describe('the example handlers', () => {
  it('linear_step_1 returns its input and the time', async () => {
    const { result } = await run(LinearStep1Handler, { inputData: { order_id: 'O-7' } });
    expect(result).toMatchObject({ step1_processed: true, input_received: { order_id: 'O-7' } });
    expect(new Date(String(result?.processed_at)).toISOString()).toBe(result?.processed_at);
  });

  it('transform_data doubles the fetched values, and returns an empty list without values', async () => {
    const items = [
      { id: 'a', raw_value: 3 },
      { id: 'b', raw_value: 5 },
    ];
    const expected = {
      items: [
        { id: 'a', value: 6 },
        { id: 'b', value: 10 },
      ],
      count: 2,
    };
    const { result } = await run(TransformDataHandler, { dependencyResults: { fetch_data: done({ items }) } });
    expect(result).toEqual(expected);
    expect((await run(TransformDataHandler)).result).toEqual({ items: [], count: 0 });
  });
});
