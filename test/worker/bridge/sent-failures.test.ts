import { expect, it } from 'vitest';
import { uuidV7 } from '../../../src/model/ids.ts';
import { resultOfExecution } from '../../../src/worker/bridge/execution-result.ts';

it.each([
  [true, undefined, undefined],
  [false, undefined, false],
  [false, false, undefined],
  [false, false, true],
  [true, true, false],
])(
  'a failure from a module has retryable: %s with metadata.retryable %s and error.retryable %s',
  (expected, metadata, error) => {
    const stepUuid = uuidV7();
    const result = resultOfExecution(
      {
        stepUuid,
        success: false,
        result: {},
        status: 'failed',
        metadata: { executionTimeMs: 1, completedAt: new Date().toISOString(), retryable: metadata },
        error: { message: 'refused', retryable: error },
      },
      stepUuid,
    );
    expect(result).toMatchObject({ success: false, errorMessage: 'refused', retryable: expected });
  },
);
