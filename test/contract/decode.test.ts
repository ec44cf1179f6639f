import { expect, it } from 'vitest';
import { z } from 'zod';
import { decodeShape } from '../../src/contract/codec.ts';
import { orNull } from '../../src/contract/schemas/or-null.ts';
import { conditions, FIELD_NAMES, SAME_NAMES, userFields, userJson } from '../../src/contract/schemas/user-json.ts';
import { shapeOf } from '../../src/contract/shape-of.ts';

const decode = (schema: z.ZodType, json: unknown) => decodeShape(shapeOf(schema), json);

const schema = z.object({
  task_uuid: z.string(),
  first_error: orNull(z.object({ error_type: z.string() })),
  waits: z.array(z.object({ due_at: z.string().nullable(), settings: userFields('public') })),
  by_state: z.record(z.string(), z.object({ ready_steps: z.int() })),
  result: userJson('result'),
  note: z.string().optional(),
});

it('keys become camelCase at every depth, but not those of user-defined JSON, and not the keys of maps', () => {
  const result = JSON.parse('{"user_key":{"inner_key":1},"__proto__":{"is_kept":true}}') as unknown;
  const json = {
    task_uuid: 'u',
    first_error: { error_type: 'E' },
    waits: [{ due_at: null, settings: { max_calls: 1 } }],
    by_state: { in_progress: { ready_steps: 2 } },
    result,
  };
  const view = decode(schema, json) as { result: unknown };
  expect(view).toEqual({
    taskUuid: 'u',
    firstError: { errorType: 'E' },
    waits: [{ dueAt: null, settings: { max_calls: 1 } }],
    byState: { in_progress: { readySteps: 2 } },
    result,
  });
  expect(JSON.stringify(view.result)).toBe('{"user_key":{"inner_key":1},"__proto__":{"is_kept":true}}');
});

it('fields that only a newer server knows are left out, because they may be user-defined JSON', () => {
  expect(decode(schema, { task_uuid: 'u', first_error: { error_type: 'E', of_later: 1 }, later: { a_b: 1 } })).toEqual({
    taskUuid: 'u',
    firstError: { errorType: 'E' },
  });
});

it('a value that is not what the schema describes is returned as it is', () => {
  expect(decode(schema, { first_error: null, waits: 'none', by_state: 7 })).toEqual({
    firstError: null,
    waits: 'none',
    byState: 7,
  });
  expect(decode(schema, null)).toBe(null);
});

it('the names in lists of fields and in conditions become camelCase, and the values of conditions do not', () => {
  const groups = z.object({ filter: conditions(), at_least: z.array(z.string()).register(FIELD_NAMES, {}) });
  expect(decode(groups, { filter: { error_type: 'a_b', context: { cart_id: 1 } }, at_least: ['ready_steps'] })).toEqual(
    {
      filter: { errorType: 'a_b', context: { cart_id: 1 } },
      atLeast: ['readySteps'],
    },
  );
});

it('an object whose fields have the same names in the library keeps them', () => {
  const error = z.object({ error_type: z.string() }).register(SAME_NAMES, {});
  expect(decode(z.object({ last_error: error }), { last_error: { error_type: 'E', more: 1 } })).toEqual({
    lastError: { error_type: 'E' },
  });
});
