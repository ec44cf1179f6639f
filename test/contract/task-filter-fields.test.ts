import { expect, it } from 'vitest';
import { NAMED_FILTER_FIELDS } from '../../src/contract/task-filter-fields.ts';
import { TASK_FILTER_KEYS } from '../../src/model/task-filter-keys.ts';

it('the conditions of the contract are those of the library', () => {
  const named = NAMED_FILTER_FIELDS.map(({ name }) => name);
  expect([...new Set(named)]).toEqual(TASK_FILTER_KEYS);
});

it('each condition of the library has one option', () => {
  const optional = NAMED_FILTER_FIELDS.filter(({ help }) => help !== undefined).map(({ name }) => name);
  expect(optional).toEqual(TASK_FILTER_KEYS);
});
