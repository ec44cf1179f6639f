import { expect, it } from 'vitest';
import { withoutSensitive } from '../../src/app/sensitive/without-sensitive.ts';
import type { Tasker } from '../../src/app/tasker.ts';

it('a verb without a rule for sensitive values is refused, also in a group of verbs', () => {
  const group = () => ({ leak: () => 'secret' });
  const tasker = {
    engine: {},
    statements: 7,
    status: () => 'fine',
    leak: () => 'secret',
    bulk: group(),
    deadLetters: group(),
    approvals: group(),
    schedules: group(),
    events: group(),
  };
  const shown = withoutSensitive(tasker as unknown as Tasker, { way: 'use a key' }) as unknown as typeof tasker;
  expect([shown.status(), shown.statements, String(shown)]).toEqual(['fine', 7, '[object Object]']);
  for (const holder of [shown, shown.bulk, shown.deadLetters, shown.approvals, shown.schedules, shown.events]) {
    expect(() => holder.leak()).toThrow('no rule says whether leak can return sensitive values');
  }
});
