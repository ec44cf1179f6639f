import { Command } from 'commander';
import { expect, it } from 'vitest';
import { addTaskFilter, describeFilter, taskFilterOf } from '../../src/cli/task-filter.ts';

it.each([
  [{ endedAfter: '48h', endedBefore: '24h' }, 'ended between 48h and 24h ago'],
  [{ createdAfter: '24h30m' }, 'created in the last 24h30m'],
  [{ updatedBefore: '7d', name: 'fulfil' }, 'name fulfil, updated more than 7d ago'],
  [{ createdAfter: '2026-01-31', createdBefore: '24h' }, 'created since 2026-01-31, created more than 24h ago'],
  [{ createdAfter: 'yesterday', createdBefore: 'today' }, 'created since yesterday, created before today'],
  [{ endedBefore: new Date(0) }, 'ended before 1970-01-01T00:00:00.000Z'],
  [{ open: true, tag: ['a', 'b'], initiator: 'a\nb' }, 'open, tag a and b, initiator a\\nb'],
  [{}, ''],
])('the filter %j is described as %j', (filter, words) => {
  expect(describeFilter(filter)).toBe(words);
});

it('--state is another name for --status, alone and together with it, and the help lists only --status', () => {
  const filterOf = (...args: string[]) => {
    const command = addTaskFilter(new Command('list'), { acts: false }).exitOverride();
    command.parse(args, { from: 'user' });
    return taskFilterOf(command.opts(), { acts: false });
  };
  expect(filterOf('--state', 'error,cancelled')).toEqual({ status: ['error', 'cancelled'] });
  expect(filterOf('--status', 'error', '--state', 'cancelled')).toEqual({ status: ['error', 'cancelled'] });
  expect(() => filterOf('--state', 'eror')).toThrow('eror is not a task state; did you mean error?');
  const help = addTaskFilter(new Command('list'), { acts: false }).helpInformation();
  expect(help).toContain('--status <state>');
  expect(help).not.toContain('--state <state>');
});
