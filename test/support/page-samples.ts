// The samples of the documented SDK, in TypeScript. Two tests run them: one calls them by hand, the other runs them on an
// engine.
import {
  APIMixin,
  ApiHandler,
  Batchable,
  DecisionHandler,
  DecisionMixin,
  DecisionPointOutcome,
  type StepContext,
  StepExecutionError,
  StepHandler,
  StepHandlerResult,
  withMixins,
} from '../../src/index.ts';

export class ProcessOrderHandler extends StepHandler {
  static override handlerName = 'process_order';
  static override handlerVersion = '1.0.0';

  call(context: StepContext): StepHandlerResult {
    // Access input data
    const orderId = context.inputData.order_id;
    const amount = Number(context.inputData.amount);

    // Business logic
    const result = this.processOrder(orderId, amount);

    // Return success
    return this.success({ order_id: orderId, status: 'processed', total: result.total });
  }

  processOrder(_orderId: unknown, amount: number): { total: number } {
    return { total: amount };
  }
}

/** The handler of the section about dependencies. */
export class AfterValidationHandler extends StepHandler {
  static override handlerName = 'after_validation';

  call(context: StepContext): StepHandlerResult {
    // Get result from a dependency step
    const validation = context.dependencyResults.validate_order ?? {};

    if (validation.valid) {
      // Process with validated data
      return this.success({ processed: true });
    }

    return this.failure('Validation failed', { retryable: false });
  }
}

/** The four ways to return a result. The task selects one. */
export class ResultsHandler extends StepHandler {
  static override handlerName = 'results';

  call(context: StepContext): StepHandlerResult {
    switch (context.inputData.way) {
      case 'success':
        return this.success({ key: 'value' }, { duration_ms: 100 });
      case 'failure':
        return this.failure({
          message: 'Payment declined',
          errorType: 'payment_error',
          retryable: true,
          metadata: { card_last_four: '1234' },
        });
      case 'successHandlerResult':
        return StepHandlerResult.successHandlerResult({ key: 'value' }, { duration_ms: 100 });
      default:
        return StepHandlerResult.failureHandlerResult({
          message: 'Error',
          errorType: 'validation_error',
          retryable: false,
        });
    }
  }
}

/** Throws one of the two errors of the section about errors. The task selects one. */
export class ThrowingHandler extends StepHandler {
  static override handlerName = 'throwing';

  call(context: StepContext): StepHandlerResult {
    if (context.inputData.retryable) {
      // Retryable error
      throw new StepExecutionError('Database connection timeout', { errorType: 'database_error', retryable: true });
    }
    // Non-retryable error
    throw new StepExecutionError('Invalid input format', { errorType: 'validation_error', retryable: false });
  }
}

export class FetchUserHandler extends ApiHandler {
  static override handlerName = 'fetch_user';
  static override baseUrl = 'https://api.example.com';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const userId = context.inputData.user_id;

    // Automatic error classification
    const response = await this.get(`/users/${userId}`);

    return this.apiSuccess(response);
  }
}

export class RoutingDecisionHandler extends DecisionHandler {
  static override handlerName = 'routing_decision';

  call(context: StepContext): StepHandlerResult {
    const amount = context.getInputOr<number>('amount', 0);

    if (amount < 1000) {
      // Auto-approve small amounts
      const outcome = DecisionPointOutcome.createSteps(['auto_approve'], { routingContext: { route_type: 'auto' } });
      return this.decisionSuccess(outcome);
    }
    if (amount < 5000) {
      // Manager approval for medium amounts
      const outcome = DecisionPointOutcome.createSteps(['manager_approval'], {
        routingContext: { route_type: 'manager' },
      });
      return this.decisionSuccess(outcome);
    }
    // Dual approval for large amounts
    const outcome = DecisionPointOutcome.createSteps(['manager_approval', 'finance_review'], {
      routingContext: { route_type: 'dual' },
    });
    return this.decisionSuccess(outcome);
  }
}

export class ApprovalRouterHandler extends DecisionHandler {
  static override handlerName = 'approval_router';
  static readonly thresholds = { auto: 1000, manager: 5000 };

  call(context: StepContext): StepHandlerResult {
    const amount = context.getInputOr<number>('amount', 0);
    const { thresholds } = ApprovalRouterHandler;

    let outcome: DecisionPointOutcome;
    if (amount < thresholds.auto) outcome = DecisionPointOutcome.createSteps(['auto_approve']);
    else if (amount < thresholds.manager) outcome = DecisionPointOutcome.createSteps(['manager_approval']);
    else outcome = DecisionPointOutcome.createSteps(['manager_approval', 'finance_review']);

    return this.decisionSuccess(outcome);
  }
}

export class NoBranchesHandler extends DecisionHandler {
  static override handlerName = 'no_branches';
  call(): StepHandlerResult {
    const outcome = DecisionPointOutcome.noBranches({ reason: 'condition not met' });
    return this.decisionNoBranches(outcome);
  }
}

export class MyHandler extends withMixins(StepHandler, APIMixin, DecisionMixin) {
  static override handlerName = 'my_handler';
  static override baseUrl = 'https://api.example.com';

  async call(): Promise<StepHandlerResult> {
    const response = await this.get('/api/endpoint');
    return this.decisionSuccess(['next_step'], response);
  }
}

const FILES: Record<string, number> = { 'empty.csv': 0, 'small.csv': 250, 'large.csv': 1000 };
const countCsvRows = (path: string): number => FILES[path] ?? 0;
const processCsvBatch = (start: number, end: number) => ({
  count: end - start,
  success: end - start - 1,
  failed: 1,
  data: [{ first: start }],
});

export class CsvAnalyzerHandler extends withMixins(StepHandler, Batchable) {
  static override handlerName = 'csv_analyzer';

  call(context: StepContext): StepHandlerResult {
    const csvPath = String(context.inputData.csv_path);
    const rowCount = countCsvRows(csvPath);

    if (rowCount === 0) {
      // No data to process
      return this.batchAnalyzerSuccess({ cursorConfigs: [], totalItems: 0, batchMetadata: { csv_path: csvPath } });
    }

    // Create cursor ranges for batch workers
    const cursorConfigs = this.createCursorRanges({ totalItems: rowCount, batchSize: 100, maxBatches: 5 });

    return this.batchAnalyzerSuccess({
      cursorConfigs,
      totalItems: rowCount,
      workerTemplateName: 'process_csv_batch',
      batchMetadata: { csv_path: csvPath },
    });
  }
}

interface Cursor {
  start_cursor?: number;
  end_cursor?: number;
}

export class CsvBatchProcessorHandler extends withMixins(StepHandler, Batchable) {
  static override handlerName = 'csv_batch_processor';

  call(context: StepContext): StepHandlerResult {
    const stepInputs = context.stepInputs;

    // Check for no-op placeholder batch
    if (stepInputs.is_no_op) {
      return this.batchWorkerSuccess({ itemsProcessed: 0, itemsSucceeded: 0, metadata: { no_op: true } });
    }

    const { start_cursor = 0, end_cursor = 0 } = (stepInputs.cursor ?? {}) as Cursor;

    // Get CSV path from analyzer result
    const analyzed = context.getDependencyResult<{ batch_metadata: { csv_path: string } }>('analyze_csv');
    if (!analyzed) return this.failure('analyze_csv has no result', { retryable: false });

    // Process the batch
    const results = processCsvBatch(start_cursor, end_cursor);

    return this.batchWorkerSuccess({
      itemsProcessed: results.count,
      itemsSucceeded: results.success,
      itemsFailed: results.failed,
      results: results.data,
      lastCursor: end_cursor,
      metadata: { csv_path: analyzed.batch_metadata.csv_path },
    });
  }
}

export class CsvAggregatorHandler extends withMixins(StepHandler, Batchable) {
  static override handlerName = 'csv_aggregator';

  call(context: StepContext): StepHandlerResult {
    return this.success(this.aggregateWorkerResults(context.getAllDependencyResults<object>('process_csv_batch_')));
  }
}

export class LinearStep1Handler extends StepHandler {
  static override handlerName = 'linear_step_1';

  call(context: StepContext): StepHandlerResult {
    return this.success({
      step1_processed: true,
      input_received: context.inputData,
      processed_at: new Date().toISOString(),
    });
  }
}

interface RawItem {
  id: string;
  raw_value: number;
}

export class TransformDataHandler extends StepHandler {
  static override handlerName = 'transform_data';

  call(context: StepContext): StepHandlerResult {
    // Get raw data from dependency
    const rawData = context.dependencyResults.fetch_data ?? {};

    // Transform
    const items = (rawData.items ?? []) as RawItem[];
    const transformed = items.map(({ id, raw_value }) => ({ id, value: raw_value * 2 }));

    return this.success({ items: transformed, count: transformed.length });
  }
}
