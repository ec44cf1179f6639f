import { describe, expect, it } from 'vitest';
import { DYNAMIC_LIMITS, expansionOf } from '../../../src/engine/expansion.ts';
import { type BatchPart, batchOutcome } from '../../../src/model/dynamic-outcome.ts';
import { graphOf } from '../../../src/template/template-graph.ts';
import { partsFor, workers } from '../../support/hand-worker.ts';
import { template } from '../../support/setup.ts';

const batchable = { type: 'batchable', dependencies: [] };
const two = template({
  one: batchable,
  other: batchable,
  rows: workers(['one']),
  rows_of: workers(['other']),
  join: { type: 'deferred_convergence', dependencies: ['rows', 'rows_of'] },
});
const graph = graphOf(two);

const made = (analyzer: string, worker: string, id: string) =>
  expansionOf(
    { template: two, graph },
    { idx: graph.indexOf.get(analyzer)!, result: partsFor(worker, id), limits: DYNAMIC_LIMITS },
  );

describe('the name of a batch worker', () => {
  it('the name of a worker is rejected if a worker of another batch may have it', () => {
    expect(made('one', 'rows', 'of_1')).toEqual({
      kind: 'wrong',
      reason: expect.stringMatching(
        /batch_id "of_1" makes rows_of_1, which may also be the name of a worker of rows_of/,
      ),
    });
    expect(made('one', 'rows', '1')).toMatchObject({ kind: 'batch' });
    expect(made('other', 'rows_of', '1')).toMatchObject({ kind: 'batch' });
  });

  it('the name of a worker is rejected if a step has it', () => {
    expect(made('one', 'rows', 'of')).toMatchObject({ kind: 'wrong', reason: expect.stringMatching(/another step/) });
  });
});

describe('a part of a batch', () => {
  it.each(['a/b', '../x', 'é\u{1F600}', '%41', "'; drop", '🧾 7', '  x  '])('a part may have the id %j', (batch_id) => {
    expect(batchOutcome(partsFor('rows', batch_id))).toMatchObject({
      kind: 'create_batches',
      parts: [{ batchId: batch_id }],
    });
  });

  it.each([0, 2 ** 53 - 1, 2 ** 60, 0.1, -1e-7, 1e300, 'x', null, true, { page: [1, { b: 2 }] }])(
    'the cursor of a part is stored unchanged: %j',
    (cursor) => {
      const outcome = {
        batch_processing_outcome: { type: 'create_batches', cursor_configs: [{ batch_id: 1, start_cursor: cursor }] },
      };
      const { parts } = batchOutcome(outcome) as { parts: BatchPart[] };
      expect(JSON.parse(parts[0]!.cursor)).toEqual({ batch_id: '1', start_cursor: cursor });
    },
  );
});

describe('a template with batches', () => {
  const problems = (steps: Parameters<typeof template>[0]) => () => template(steps);

  it('a template in which two analyzers create the workers of one step is rejected, because only the first batch would be created', () => {
    expect(problems({ one: batchable, other: batchable, rows: workers(['one', 'other']) })).toThrow(
      /must depend on exactly one batchable step, which creates its workers; it depends on `one` and `other`/,
    );
  });
});
