import { expect, it } from 'vitest';
import { z } from 'zod';
import { encode } from '../../src/contract/encode.ts';
import { orNull } from '../../src/contract/schemas/or-null.ts';
import { conditions, userFields, userJson } from '../../src/contract/schemas/user-json.ts';
import { atLeast } from '../../src/contract/schemas/workers.ts';

const wait = z.object({ due_at: z.string().nullable(), settings: userFields('public') });
const schema = z.object({
  task_uuid: z.string(),
  first_error: orNull(z.object({ error_type: z.string() })),
  waits: z.array(wait),
  by_state: z.record(z.string(), z.object({ ready_steps: z.int() })),
  result: userJson('result'),
  note: z.string().optional(),
});

it('keys are converted at every depth, but not those of user-defined JSON, and not the keys of maps', () => {
  const view = {
    taskUuid: 'u',
    firstError: { errorType: 'E' },
    waits: [{ dueAt: null, settings: { maxCalls: 1 } }],
    byState: { inProgress: { readySteps: 2 } },
    result: { userKey: { innerKey: 1 } },
  };
  expect(encode(schema, view)).toEqual({
    task_uuid: 'u',
    first_error: { error_type: 'E' },
    waits: [{ due_at: null, settings: { maxCalls: 1 } }],
    by_state: { inProgress: { ready_steps: 2 } },
    result: { userKey: { innerKey: 1 } },
  });
});

it('fields without a schema are left out, at every depth', () => {
  const view = { taskUuid: 'u', secret: 1, firstError: { errorType: 'E', stack: 's' }, waits: [], byState: {} };
  expect(encode(schema, view)).toEqual({ task_uuid: 'u', first_error: { error_type: 'E' }, waits: [], by_state: {} });
});

it('values that are already in the form of the API keep it', () => {
  expect(encode(schema, { task_uuid: 'u', first_error: null, waits: [], by_state: {}, note: undefined })).toEqual({
    task_uuid: 'u',
    first_error: null,
    waits: [],
    by_state: {},
  });
});

it('the names in lists of fields and in conditions are converted, and their values are not', () => {
  expect(encode(atLeast, ['readySteps', 'stale'])).toEqual(['ready_steps', 'stale']);
  expect(encode(conditions(), { errorType: 'cardRefused', context: { cartId: 1 } })).toEqual({
    error_type: 'cardRefused',
    context: { cartId: 1 },
  });
});

it('a union of two objects is refused when the program starts, not when a value comes', () => {
  const union = z.object({ it: z.union([z.object({ a_b: z.int() }), z.object({ c_d: z.int() })]) });
  expect(() => encode(union, {})).toThrow('give it a schema of its own');
});
