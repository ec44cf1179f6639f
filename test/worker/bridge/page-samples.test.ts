// Runs the samples of the documented SDK, written in TypeScript, as steps of real tasks.
import { describe, expect, it } from 'vitest';
import {
  APIMixin,
  ApiHandler,
  defineHandler,
  HandlerRegistry,
  StepContext,
  StepHandler,
  type StepHandlerClass,
  withMixins,
} from '../../../src/index.ts';
import { httpServer, json } from '../../handlers/api/http-server.ts';
import {
  AfterValidationHandler,
  ApprovalRouterHandler,
  CsvAggregatorHandler,
  CsvAnalyzerHandler,
  CsvBatchProcessorHandler,
  FetchUserHandler,
  MyHandler,
  NoBranchesHandler,
  ProcessOrderHandler,
  ResultsHandler,
  RoutingDecisionHandler,
  ThrowingHandler,
} from '../../support/page-samples.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const TWICE = { retry: { max_attempts: 2, backoff: 'none' } };

type Steps = Parameters<typeof shared.setup>[0];
type Handlers = HandlerRegistry | StepHandlerClass[];

/** Creates a task, waits until it ends, and returns its outcome. */
async function run(steps: Steps, handlers: Handlers, context: Record<string, unknown> = {}) {
  const { tasker, demo } = await shared.setup(steps, { handlers });
  const { taskUuid } = await tasker.createTask({ ...demo, context });
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const all = await tasker.getSteps(taskUuid);
  const step = Object.fromEntries(all.map((one) => [one.name, one]));
  const result = (name: string) => step[name]?.results?.result as Record<string, unknown> | undefined;
  return { tasker, taskUuid, status, step, names: all.map(({ name }) => name), result };
}

const plain = (name: string, result: object = {}) => defineHandler(name, {}, () => result);

describe('handlers', () => {
  it('process_order reads its input and stores a result with the version of its class', async () => {
    const { status, step } = await run({ process_order: [] }, [ProcessOrderHandler], { order_id: 'O-7', amount: 99.5 });
    expect(status).toBe('complete');
    expect(step.process_order!.results).toMatchObject({
      result: { order_id: 'O-7', status: 'processed', total: 99.5 },
      metadata: { handler_version: '1.0.0' },
    });
  });

  it('a handler receives every argument that the page names', async () => {
    class Signature extends StepHandler {
      static override handlerName = 'signature';
      call(context: StepContext) {
        const { taskUuid, stepUuid, inputData, stepConfig, stepInputs, retryCount, maxRetries } = context;
        const parent = context.dependencyResults.parent?.result;
        return { taskUuid, stepUuid, inputData, stepConfig, stepInputs, retryCount, maxRetries, parent } as never;
      }
    }
    const steps = {
      parent: [],
      signature: {
        dependencies: ['parent'],
        handler: { callable: 'signature', initialization: { currency: 'EUR' } },
        retry: { max_attempts: 5 },
      },
    };
    const { taskUuid, step, result } = await run(steps, [plain('parent', { ok: true }), Signature], {
      order_id: 'O-7',
    });
    expect(result('signature')).toEqual({
      taskUuid,
      stepUuid: step.signature!.stepUuid,
      inputData: { order_id: 'O-7' },
      stepConfig: { currency: 'EUR' },
      stepInputs: { currency: 'EUR' },
      retryCount: 0,
      maxRetries: 5,
      parent: { ok: true },
    });
  });

  it.each(['success', 'successHandlerResult'])('%s returns a result with metadata', async (way) => {
    const { step } = await run({ results: [] }, [ResultsHandler], { way });
    expect(step.results!.results).toMatchObject({
      success: true,
      result: { key: 'value' },
      metadata: { custom: { duration_ms: 100 } },
    });
  });

  it.each([
    ['failure', 2, { message: 'Payment declined', error_type: 'payment_error', retryable: true }],
    ['failureHandlerResult', 1, { message: 'Error', error_type: 'validation_error', retryable: false }],
  ])('%s returns a failure that leads to %i attempts', async (way, attempts, error) => {
    const { status, step } = await run({ results: TWICE }, [ResultsHandler], { way });
    expect(status).toBe('blocked_by_failures');
    expect(step.results).toMatchObject({ currentState: 'error', attempts, results: { success: false, error } });
  });

  it.each([
    [true, { currentState: 'complete', results: { result: { processed: true } } }],
    [false, { currentState: 'error', attempts: 1, results: { error: { message: 'Validation failed' } } }],
  ])('a handler reads the result of an earlier step: valid is %s', async (valid, expected) => {
    const steps = { validate_order: [], after_validation: { ...TWICE, dependencies: ['validate_order'] } };
    const { step } = await run(steps, [plain('validate_order', { valid }), AfterValidationHandler]);
    expect(step.after_validation).toMatchObject(expected);
  });
});

describe('composition', () => {
  it('a composed handler calls a service and names the next step, which is created and receives the response', async () => {
    const { url } = await httpServer((got, response) =>
      json(response, { path: got.url }, { headers: { 'set-cookie': 'id=1' } }),
    );
    const Here = class extends MyHandler {
      static override baseUrl = url;
    };
    const see = defineHandler('next_step', { depends: { route: 'my_handler' } }, ({ route }) => ({ route }));
    const steps = { start: [], my_handler: { type: 'decision', dependencies: ['start'] }, next_step: ['my_handler'] };
    const { status, result } = await run(steps, [plain('start'), Here, see]);
    expect(status).toBe('complete');
    expect(result('next_step')).toMatchObject({
      route: {
        decision_point_outcome: { type: 'create_steps', step_names: ['next_step'] },
        routing_context: { status_code: 200, body: { path: '/api/endpoint' } },
      },
    });
    expect(JSON.stringify(result('my_handler'))).not.toContain('id=1');
  });

  it('a wrapper class returns the same result as the mixin that it is built from', async () => {
    const { url } = await httpServer((_, response) => json(response, { id: 7 }));
    class Wrapped extends ApiHandler {
      static override handlerName = 'wrapped';
      static override baseUrl = url;
      async call() {
        return this.apiSuccess(await this.get('/'));
      }
    }
    class Mixed extends withMixins(StepHandler, APIMixin) {
      static override handlerName = 'mixed';
      static override baseUrl = url;
      async call() {
        return this.apiSuccess(await this.get('/'));
      }
    }
    const { result } = await run({ wrapped: [], mixed: [] }, [Wrapped, Mixed]);
    expect(result('wrapped')).toMatchObject({ id: 7 });
    expect(result('mixed')).toEqual(result('wrapped'));
  });
});

describe('the API handler', () => {
  it.each([
    [404, 'fails permanently', 1],
    [503, 'is retried', 2],
  ])('a response with status %i %s', async (status, _, attempts) => {
    const { url, got } = await httpServer((_, response) => json(response, {}, { status }));
    const Here = class extends FetchUserHandler {
      static override baseUrl = url;
    };
    const { step } = await run({ fetch_user: TWICE }, [Here], { user_id: 7 });
    expect(step.fetch_user).toMatchObject({ currentState: 'error', results: { error: { status_code: status } } });
    expect(got.map(({ method, url }) => `${method} ${url}`)).toEqual(Array(attempts).fill('GET /users/7'));
  });

  it('an API handler has the four methods and all documented properties of a response', async () => {
    const { url, got } = await httpServer((_, response) =>
      json(response, { ok: 1 }, { status: 503, headers: { 'retry-after': '2' } }),
    );
    class Methods extends ApiHandler {
      static override handlerName = 'methods';
      static override baseUrl = url;
      async call() {
        await this.get('/path', { params: { key: 'value' }, headers: {} });
        await this.post('/path', { data: { key: 'value' }, headers: {} });
        await this.put('/path', { data: { key: 'value' }, headers: {} });
        const response = await this.delete('/path', { params: {}, headers: {} });
        const { statusCode, headers, body, ok, isClientError, isServerError, isRetryable, retryAfter } = response;
        const type = headers['content-type'];
        return this.success({ statusCode, type, body, ok, isClientError, isServerError, isRetryable, retryAfter });
      }
    }
    const { result } = await run({ methods: [] }, [Methods]);
    expect(got.map(({ method, url, body }) => `${method} ${url} ${body}`.trimEnd())).toEqual([
      'GET /path?key=value',
      'POST /path {"key":"value"}',
      'PUT /path {"key":"value"}',
      'DELETE /path',
    ]);
    expect(result('methods')).toEqual({
      statusCode: 503,
      type: 'application/json',
      body: { ok: 1 },
      ok: false,
      isClientError: false,
      isServerError: true,
      isRetryable: true,
      retryAfter: 2,
    });
  });
});

/** start → the decision → the branches → `finalize`, which joins them. */
const approval = (router: string) => ({
  start: [],
  [router]: { type: 'decision', dependencies: ['start'] },
  auto_approve: [router],
  manager_approval: [router],
  finance_review: [router],
  finalize: { type: 'deferred_convergence', dependencies: ['auto_approve', 'manager_approval', 'finance_review'] },
});

/** A handler for each branch. It returns the routing context that it sees. */
const branches = ['auto_approve', 'manager_approval', 'finance_review', 'finalize'].map((name) =>
  defineHandler(name, {}, ({ context }) => ({
    seen: context.getDependencyField('routing_decision', 'routing_context', 'route_type'),
  })),
);

describe('the decision handlers', () => {
  it.each([
    [undefined, 'auto', ['auto_approve']],
    [5000, 'dual', ['manager_approval', 'finance_review']],
  ])('the handlers route an amount of %s as %s', async (amount, routeType, chosen) => {
    for (const Router of [RoutingDecisionHandler, ApprovalRouterHandler]) {
      const router = Router.handlerName;
      const context = amount === undefined ? {} : { amount };
      const { status, names, result } = await run(approval(router), [plain('start'), Router, ...branches], context);
      expect(status).toBe('complete');
      expect(names).toEqual(['start', router, ...chosen, 'finalize']);
      const routed = Router === RoutingDecisionHandler;
      expect(result(chosen[0]!)).toEqual({ seen: routed ? routeType : null });
      expect(result(router)).toEqual({
        decision_point_outcome: { type: 'create_steps', step_names: chosen },
        steps_created: chosen,
        ...(routed && { routing_context: { route_type: routeType } }),
      });
    }
  });

  it('a decision without branches creates no steps, and the task completes', async () => {
    const { status, names, result } = await run(approval('no_branches'), [
      plain('start'),
      NoBranchesHandler,
      ...branches,
    ]);
    expect(status).toBe('complete');
    expect(names).toEqual(['start', 'no_branches']);
    expect(result('no_branches')).toMatchObject({ reason: 'condition not met' });
  });
});

describe('the batch handlers', () => {
  const steps = {
    analyze_csv: { type: 'batchable', handler: 'csv_analyzer' },
    process_csv_batch: {
      type: 'batch_worker',
      dependencies: ['analyze_csv'],
      handler: 'csv_batch_processor',
      batch_config: {
        batch_size: 100,
        parallelism: 5,
        cursor_field: 'row_number',
        worker_template: 'process_csv_batch',
        failure_strategy: 'continue_on_failure',
      },
    },
    aggregate: {
      type: 'deferred_convergence',
      dependencies: ['process_csv_batch'],
      handler: 'csv_aggregator',
    },
  };
  const handlers = [CsvAnalyzerHandler, CsvBatchProcessorHandler, CsvAggregatorHandler];

  it('the handlers process each row of a file once and aggregate the results', async () => {
    const [csv_path, sizes] = ['small.csv', [100, 100, 50]];
    const { status, names, result, step } = await run(steps, handlers, { csv_path });
    expect(status).toBe('complete');
    const workers = sizes.map((_, i) => `process_csv_batch_00${i + 1}`);
    expect(names).toEqual(['analyze_csv', 'aggregate', ...workers]);
    expect(workers.map((name) => result(name)?.items_processed)).toEqual(sizes);
    const rows = sizes.reduce((sum, size) => sum + size, 0);
    expect(workers.map((name) => result(name)?.last_cursor).at(-1)).toBe(rows);
    expect(step.process_csv_batch_001!.results?.metadata).toMatchObject({ custom: { csv_path } });
    expect(result('aggregate')).toMatchObject({
      total_processed: rows,
      total_succeeded: rows - sizes.length,
      total_failed: sizes.length,
      batch_count: sizes.length,
    });
  });

  it('an empty file runs one placeholder worker', async () => {
    const { status, result, step } = await run(steps, handlers, { csv_path: 'empty.csv' });
    expect(status).toBe('complete');
    expect(result('process_csv_batch_000')).toMatchObject({ items_processed: 0, items_succeeded: 0 });
    expect(step.process_csv_batch_000!.results?.metadata).toMatchObject({ custom: { no_op: true } });
    expect(result('aggregate')).toMatchObject({ total_processed: 0 });
  });
});

describe('the handler registry', () => {
  it('a worker runs a registered handler', async () => {
    const registry = new HandlerRegistry();
    registry.register('process_order', ProcessOrderHandler);
    expect(registry.isRegistered('process_order')).toBe(true);
    const handler = await registry.resolve('process_order');
    expect(handler).toBeInstanceOf(ProcessOrderHandler);
    expect(registry.listHandlers()).toEqual(['process_order']);
    expect(registry.handlerCount()).toBe(1);
    const { status } = await run({ process_order: [] }, registry, { order_id: 'O-7', amount: 1 });
    expect(status).toBe('complete');
  });

  it('a worker runs discovered handlers', async () => {
    const registry = new HandlerRegistry();
    const count = await registry.discoverHandlers('examples/linear/handlers');
    expect(count).toBe(4);
    const { status, result } = await run({ linear_step_1: [] }, registry, { value: 1 });
    expect(status).toBe('complete');
    expect(result('linear_step_1')).toMatchObject({ input_received: { value: 1 } });
  });
});

describe('the types', () => {
  it('a context can be created from the event of a handler, with the same contents', async () => {
    const seen: unknown[] = [];
    class FromEvent extends StepHandler {
      static override handlerName = 'from_event';
      call(context: StepContext) {
        const again = StepContext.fromFfiEvent(context.event, 'from_event');
        for (const { taskUuid, stepUuid, inputData, retryCount } of [context, again]) {
          seen.push({ taskUuid, stepUuid, inputData, retryCount });
        }
        return this.success({});
      }
    }
    const { taskUuid, step } = await run({ from_event: [] }, [FromEvent], { order_id: 'O-7' });
    const expected = {
      taskUuid,
      stepUuid: step.from_event!.stepUuid,
      inputData: { order_id: 'O-7' },
      retryCount: 0,
    };
    expect(seen).toEqual([expected, expected]);
  });
});

describe('the errors', () => {
  it.each([
    [true, 2, { message: 'Database connection timeout', error_type: 'database_error', retryable: true }],
    [false, 1, { message: 'Invalid input format', error_type: 'validation_error', retryable: false }],
  ])(
    'an error that a handler throws decides whether it is retried: retryable is %s',
    async (retryable, attempts, error) => {
      const { step } = await run({ throwing: TWICE }, [ThrowingHandler], { retryable });
      expect(step.throwing).toMatchObject({ currentState: 'error', attempts, results: { error } });
    },
  );
});
