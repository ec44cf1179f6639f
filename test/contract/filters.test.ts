import { expect, it } from 'vitest';
import { NAMED_TASK_CONDITIONS } from '../../src/contract/filters/tasks.ts';
import { TASK_FILTER_KEYS } from '../../src/model/task-filter-keys.ts';

it('the conditions of the contract are those of the library', () => {
  const named = NAMED_TASK_CONDITIONS.map(({ name }) => name);
  expect([...new Set(named)]).toEqual(TASK_FILTER_KEYS);
});

it('each condition of the library has one option', () => {
  const optional = NAMED_TASK_CONDITIONS.filter(({ help }) => help !== undefined).map(({ name }) => name);
  expect(optional).toEqual(TASK_FILTER_KEYS);
});
