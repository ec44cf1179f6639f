import { describe, expect, it } from 'vitest';
import { dependencyResult } from '../../src/handlers/dependency-result.ts';
import { ConversionError } from '../../src/handlers/failures/handler-errors.ts';
import type { FfiStepEvent } from '../../src/handlers/ffi-step-event.ts';
import { StepContext } from '../../src/handlers/step-context.ts';
import type { StepContextParams } from '../../src/handlers/step-context-params.ts';

const ids = {
  taskUuid: '0199aa00-0000-7000-8000-0000000000a1',
  stepUuid: '0199aa00-0000-7000-8000-0000000000b2',
  handlerName: 'pack',
};

const contextOf = (params: Partial<StepContextParams> = {}) => new StepContext({ ...ids, ...params });

function event(): FfiStepEvent {
  const at = '2026-01-02 03:04:05.000001';
  const { taskUuid, stepUuid } = ids;
  const correlationId = '0199aa00-0000-7000-8000-0000000000c3';
  return {
    eventId: '0199aa00-0000-7000-8000-000000000001',
    taskUuid,
    stepUuid,
    correlationId,
    taskCorrelationId: correlationId,
    task: {
      taskUuid,
      namedTaskUuid: '0199aa00-0000-7000-8000-0000000000d4',
      name: 'ship_order',
      namespace: 'shop',
      version: '1.0.0',
      context: { order_id: 'O-7', amount: 12.5 },
      correlationId,
      complete: false,
      priority: 5,
      identityHash: '9f',
      createdAt: at,
      updatedAt: at,
      requestedAt: at,
    },
    workflowStep: {
      workflowStepUuid: stepUuid,
      taskUuid,
      namedStepUuid: '0199aa00-0000-7000-8000-0000000000e5',
      name: 'pack_001',
      templateStepName: 'pack',
      retryable: true,
      maxAttempts: 4,
      attempts: 2,
      inProcess: false,
      processed: false,
      inputs: { cursor: 5 },
      createdAt: at,
      updatedAt: at,
      checkpoint: { cursor: 50, items_processed: 50, accumulated_results: { total: 7 } },
    },
    stepDefinition: {
      name: 'pack',
      handlerCallable: 'shop.PackHandler',
      handlerInitialization: { carrier: 'x' },
      dependencies: ['reserve'],
      retryRetryable: true,
      retryMaxAttempts: 4,
      retryBackoff: 'exponential',
    },
    dependencyResults: {
      reserve: {
        stepUuid: '0199aa00-0000-7000-8000-0000000000f6',
        success: true,
        result: { valid: true },
        status: 'completed',
      },
    },
  };
}

describe('the context of an event', () => {
  it('has all data of the event', () => {
    const given = event();
    const context = StepContext.fromFfiEvent(given, 'pack');
    expect(context.event).toBe(given);
    expect(context).toMatchObject({
      taskUuid: ids.taskUuid,
      stepUuid: ids.stepUuid,
      correlationId: '0199aa00-0000-7000-8000-0000000000c3',
      handlerName: 'pack',
      inputData: { order_id: 'O-7', amount: 12.5 },
      stepConfig: { carrier: 'x' },
      stepInputs: { cursor: 5 },
      retryCount: 2,
      attempt: 3,
      maxRetries: 4,
      checkpointCursor: 50,
      checkpointItemsProcessed: 50,
      accumulatedResults: { total: 7 },
    });
    const reserve = context.dependencyResults.reserve ?? {};
    expect([reserve.valid, context.dependencyResults.absent?.valid]).toEqual([true, undefined]);
    expect(context.getDependencyResult('reserve')).toEqual({ valid: true });
  });

  it('returns copies, so that a handler cannot change the event or affect the next attempt', () => {
    const given = event();
    const spoiled = StepContext.fromFfiEvent(given, 'pack');
    spoiled.inputData.order_id = 'other';
    spoiled.accumulatedResults!.total = 0;
    spoiled.getDependencyResult<{ valid: boolean }>('reserve')!.valid = false;
    spoiled.stepConfig.carrier = 'y';
    expect(given).toEqual(event());
    const next = StepContext.fromFfiEvent(given, 'pack');
    expect([next.inputData.order_id, next.accumulatedResults]).toEqual(['O-7', { total: 7 }]);
  });

  it('names the part that cannot be copied', () => {
    const given = event();
    (given.task.context as Record<string, unknown>).act = () => 1;
    const context = StepContext.fromFfiEvent(given, 'pack');
    expect(() => context.inputData).toThrow(expect.objectContaining({ details: { path: 'event.task.context' } }));
  });

  it('reads a null task context as {}', () => {
    const given = event();
    given.task.context = null;
    given.stepDefinition.handlerInitialization = null;
    const context = StepContext.fromFfiEvent(given, 'pack');
    expect([context.inputData, context.stepConfig]).toEqual([{}, {}]);
  });

  it.each([
    ['event.taskUuid', { taskUuid: 7 }],
    ['event.taskUuid', { taskUuid: '' }],
    ['event.stepUuid', { stepUuid: null }],
    ['event.task.context', { task: { context: [1] } }],
    ['event.workflowStep.attempts', { workflowStep: { attempts: '2' } }],
    [
      'event.dependencyResults.reserve.success',
      { dependencyResults: { reserve: { stepUuid: 's', status: 'completed' } } },
    ],
    ['event.stepDefinition', { stepDefinition: undefined }],
  ])('throws a ConversionError that names %s if it is invalid', (path, wrong) => {
    const malformed = { ...event(), ...wrong } as unknown as FfiStepEvent;
    const read = () => StepContext.fromFfiEvent(malformed, 'pack');
    expect(read).toThrow(ConversionError);
    expect(read).toThrow(`step event: ${path}: `);
    expect(read).toThrow(expect.objectContaining({ code: 'conversion_error', details: { path } }));
  });

  it('throws a ConversionError if the event is missing', () => {
    expect(() => StepContext.fromFfiEvent(null as unknown as FfiStepEvent, 'pack')).toThrow(ConversionError);
  });
});

describe('the context of an event written by hand for a test', () => {
  it.each(['task-123', 'step 7 of Zürich', '1'])('accepts %s as the id of the task and of the step', (id) => {
    const context = StepContext.fromFfiEvent({ ...event(), taskUuid: id, stepUuid: id, correlationId: id }, 'pack');
    expect([context.taskUuid, context.stepUuid, context.correlationId]).toEqual([id, id, id]);
  });

  it('needs only the parts that the context reads', () => {
    const event = {
      eventId: 'event-123',
      taskUuid: 'task-456',
      stepUuid: 'step-789',
      correlationId: 'corr-001',
      task: { context: { order_id: 'O-7' } },
      workflowStep: { attempts: 1, maxAttempts: 3, inputs: null },
      stepDefinition: { name: 'pack', handlerCallable: 'pack', handlerInitialization: {} },
      dependencyResults: {},
    } as unknown as FfiStepEvent;
    const context = StepContext.fromFfiEvent(event, 'pack');
    expect(context).toMatchObject({ taskUuid: 'task-456', inputData: { order_id: 'O-7' }, retryCount: 1 });
  });
});

describe('a context created by hand', () => {
  it('needs only its ids', () => {
    const context = contextOf();
    expect(context).toMatchObject({
      inputData: {},
      dependencyResults: {},
      stepConfig: {},
      stepInputs: {},
      retryCount: 0,
    });
    expect(context).toMatchObject({ maxRetries: 3, correlationId: '', checkpoint: null, accumulatedResults: null });
    expect(context.hasCheckpoint()).toBe(false);
    expect(context.signal.aborted).toBe(false);
    expect(context.getDependencyResult('x')).toBeNull();
    expect(context.getAllDependencyResults('')).toEqual([]);
    context.logger.info({ a: 1 }, 'silent');
  });

  it('throws if its event is read, because it has none', () => {
    expect(() => contextOf().event).toThrow('the context of pack was created without an event');
  });

  it('distinguishes missing inputs from null inputs', () => {
    const context = contextOf({ inputData: { none: null, zero: 0 } });
    expect(context.getInput('absent')).toBeUndefined();
    expect(context.getInput('toString')).toBeUndefined();
    expect(context.getInputOr('absent', 7)).toBe(7);
    expect(context.getInputOr<number | null>('none', 7)).toBeNull();
    expect(context.getInputOr('zero', 7)).toBe(0);
    expect(contextOf({ stepConfig: { a: 1 } }).getConfig('a')).toBe(1);
  });

  it('knows the first and the last of its attempts', () => {
    const of = (retryCount: number) => contextOf({ retryCount, maxRetries: 3 });
    expect([0, 1, 2].map((n) => [of(n).attempt, of(n).isRetry(), of(n).isLastRetry()])).toEqual([
      [1, false, false],
      [2, true, false],
      [3, true, true],
    ]);
  });

  it('returns dependencies as envelopes or bare results, as they were given', () => {
    const context = contextOf({
      dependencyResults: {
        reserve: dependencyResult({ stepUuid: 's', result: { id: 'R-1', deep: { n: 1 }, status: 'held' } }),
        bare: { id: 'B-1' },
        none: null,
        batch_001: dependencyResult({ stepUuid: 's', result: { n: 1 } }),
        batch_002: dependencyResult({ stepUuid: 's', result: null }),
        batch_003: { n: 3 },
      },
    });
    expect(context.getDependencyResult('reserve')).toEqual({ id: 'R-1', deep: { n: 1 }, status: 'held' });
    expect(context.getDependencyResult('bare')).toEqual({ id: 'B-1' });
    expect(context.getDependencyResult('none')).toBeNull();
    expect(context.getDependencyField('reserve', 'deep', 'n')).toBe(1);
    expect(context.getDependencyField('reserve', 'deep', 'absent')).toBeUndefined();
    expect(context.getDependencyField('reserve', 'toString')).toBeUndefined();
    expect(context.getDependencyField('reserve', 'absent', 'n')).toBeNull();
    expect(context.getDependencyField('reserve', 'id', 'n')).toBeNull();
    expect(context.getDependencyField('absent', 'id')).toBeNull();
    expect(context.getDependencyField('absent')).toBeNull();
    expect(context.getDependencyResultKeys()).toContain('bare');
    expect(context.getAllDependencyResults('batch_')).toEqual([{ n: 1 }, { n: 3 }]);
  });

  it.each([
    [
      'given by hand',
      {
        dependencyResults: { reserve: dependencyResult({ stepUuid: 's', result: { id: 'R-1' } }), bare: { id: 'B-1' } },
      },
    ],
    [
      'as the worker gives them',
      {
        dependency: (name: string) => ({ stepUuid: 's', result: { id: name === 'reserve' ? 'R-1' : 'B-1' } }),
        dependencyNames: () => ['reserve', 'bare'],
      },
    ],
  ])('allows dependencyResults to be read as a map, %s', (_, params) => {
    const { dependencyResults } = contextOf(params);
    expect(dependencyResults.get('reserve')).toBe(dependencyResults.reserve);
    expect([dependencyResults.get('reserve')?.id, dependencyResults.get('bare')?.id]).toEqual(['R-1', 'B-1']);
    expect([dependencyResults.get('absent'), dependencyResults.get('toString')]).toEqual([undefined, undefined]);
    expect(Object.keys(dependencyResults)).toEqual(['reserve', 'bare']);
    expect(Object.keys({ ...dependencyResults })).toEqual(['reserve', 'bare']);
    expect(JSON.parse(JSON.stringify(dependencyResults))).not.toHaveProperty('get');
  });

  it('prefers the result of a step named get over the method', () => {
    const context = contextOf({ dependencyResults: { get: { id: 'G-1' } } });
    expect(context.dependencyResults.get).toEqual({ id: 'G-1' });
    expect(context.getDependencyResult('get')).toEqual({ id: 'G-1' });
    expect(contextOf().getDependencyResult('get')).toBeNull();
    expect(contextOf().dependencyResults.get('get')).toBeUndefined();
  });

  it('does not change the results that it was given', () => {
    const dependencyResults = Object.freeze({ reserve: { id: 'R-1' } });
    const context = contextOf({ dependencyResults });
    expect(context.dependencyResults.get('reserve')).toEqual({ id: 'R-1' });
    expect(context.dependencyResults).toBe(context.dependencyResults);
    expect('get' in dependencyResults).toBe(false);
  });

  it('reads each part once, when it is needed', () => {
    const reads: string[] = [];
    const watched = (name: string, value: unknown) => {
      reads.push(name);
      return value;
    };
    const params = {
      ...ids,
      get inputData() {
        return watched('inputData', { a: 1 }) as Record<string, unknown>;
      },
      get signal() {
        return watched('signal', new AbortController().signal) as AbortSignal;
      },
      get dependencyResults(): Record<string, unknown> {
        throw new Error('not asked for');
      },
      dependency: (name: string) =>
        name === 'reserve' ? dependencyResult({ stepUuid: 's', result: watched('reserve', { id: 'R-1' }) }) : undefined,
      dependencyNames: () => ['reserve'],
    };
    const context = new StepContext(params);
    expect(reads).toEqual([]);
    context.inputData.b = 2;
    expect(context.getInput('b')).toBe(2);
    expect(context.signal).toBe(context.signal);
    expect(context.getDependencyResult('reserve')).toEqual({ id: 'R-1' });
    expect(context.getDependencyResult('absent')).toBeNull();
    expect(context.getAllDependencyResults('re')).toEqual([{ id: 'R-1' }]);
    expect(context.getDependencyResult('reserve')).toBe(context.getDependencyResult('reserve'));
    expect(reads).toEqual(['inputData', 'signal', 'reserve']);
  });

  it('builds dependencyResults from single results if no map of results is given', () => {
    const context = contextOf({
      dependency: (name) => dependencyResult({ stepUuid: 's', result: { name } }),
      dependencyNames: () => ['a', 'b'],
    });
    expect(Object.keys(context.dependencyResults)).toEqual(['a', 'b']);
    expect(context.dependencyResults.b?.name).toBe('b');
    expect(context.dependencyResults.b?.result).toBe(context.getDependencyResult('b'));
  });
});

describe('the envelope of a dependency', () => {
  it('gives access to the keys of the result, except keys that the envelope itself has', () => {
    const envelope = dependencyResult({ stepUuid: 's', result: { valid: true, status: 'held' }, success: false });
    expect([envelope.valid, envelope.status, envelope.success]).toEqual([true, 'failed', false]);
    expect(Object.keys(envelope)).toEqual([
      'stepUuid',
      'success',
      'result',
      'status',
      'errorMessage',
      'errorType',
      'errorRetryable',
    ]);
  });

  it('can hold any result', () => {
    for (const result of [null, 1, 'x', [1]]) expect(dependencyResult({ stepUuid: 's', result }).result).toBe(result);
  });
});
