import { expect, it } from 'vitest';
import { PAIR, projectOnDatabase } from '../installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR });

const NONE = '00000000-0000-0000-0000-000000000000';

it('dlq commands report an empty list, and dlq list names the conditions that match nothing', async () => {
  await on.project.create('pair');
  expect(await on.project.run(['dlq', 'list'])).toMatchObject({
    code: 0,
    stdout: '',
    stderr: 'no open dead letters\n',
  });
  expect(await on.project.run(['dlq', 'list', '--dlq-reason', 'manual_dlq', '--unassigned'])).toMatchObject({
    code: 0,
    stderr: 'no dead letter matches: reason manual_dlq, unassigned\n',
  });
  expect(await on.project.run(['dlq', 'stats'])).toMatchObject({ code: 0, stderr: 'no dead letters\n' });
  expect(await on.project.run(['dlq', 'staleness'])).toMatchObject({
    code: 0,
    stderr: 'no open task has a limit; templates set limits in `lifecycle`\n',
  });
});

it('a task is added to the dead letters, listed, assigned, annotated, shown and resolved', async () => {
  const task = await on.project.create('pair');
  const added = await on.project.run(['dlq', 'add', task, '--reason', 'charged twice?', '--by', 'ann']);
  expect(added).toMatchObject({ code: 0, stdout: '' });
  expect(added.stderr).toMatch(new RegExp(`^${task} is in the dead letters, as entry [0-9a-f-]{36}\n$`));
  expect(await on.project.run(['dlq', 'add', task])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is already in the dead letters'),
  });

  const listed = await on.project.run(['dlq', 'list']);
  expect(listed.stderr).toBe('1 dead letter\n');
  expect(listed.stdout).toMatch(/TASK +REASON +SINCE +ASSIGNEE +TEMPLATE +TASK IS IN +CAUSE/);
  expect(listed.stdout).toMatch(
    new RegExp(`${task} +manual_dlq +[\\d.]+ m?s ago +- +demo/pair@1.0.0 +pending +charged twice\\?`),
  );
  expect(await on.project.run(['dlq', 'assign', task, '--to', 'payments', '--priority', '7'])).toMatchObject({
    code: 0,
    stderr: '1 dead letter: assigned to payments, priority 7\n',
  });
  expect(await on.project.run(['dlq', 'note', task, 'asked the bank', '--by', 'bob'])).toMatchObject({
    code: 0,
    stderr: '1 dead letter: noted\n',
  });
  const shown = await on.project.run(['dlq', 'get', task]);
  for (const line of [
    /^cause +charged twice\?$/m,
    /^status +pending$/m,
    /^assignee +payments$/m,
    /^priority +7$/m,
    /Z bob: asked the bank$/m,
    /• first +enqueued +0\/3/,
    /^run it again +npx tasker dlq redrive/m,
  ]) {
    expect(shown.stdout).toMatch(line);
  }
  expect(await on.project.json(['dlq', 'list'])).toMatchObject({
    entries: [
      { task_uuid: task, dlq_reason: 'manual_dlq', assignee: 'payments', priority: 7, resolution_status: 'pending' },
    ],
    total: 1,
    total_is_exact: true,
    next_cursor: null,
  });
  expect((await on.project.run(['task', 'why', task])).stdout).toContain('it is in the dead letters (manual_dlq)');
  expect((await on.project.run(['status'])).stdout).toMatch(/✖ 1 dead letter +npx tasker dlq list/);
  expect((await on.project.run(['doctor'])).stdout).toContain('1 task is in the dead letters');

  const { entries } = (await on.project.json(['dlq', 'list'])) as { entries: { dlq_entry_uuid: string }[] };
  expect(
    await on.project.run([
      'dlq',
      'update',
      entries[0]!.dlq_entry_uuid,
      '-s',
      'PermanentlyFailed',
      '-n',
      'refunded',
      '-b',
      'ann',
    ]),
  ).toMatchObject({ code: 0, stderr: '1 dead letter: permanently_failed\n' });
  expect(await on.project.json(['dlq', 'show', task])).toMatchObject({
    resolution_status: 'permanently_failed',
    resolution_notes: 'refunded',
    resolved_by: 'ann',
    task_snapshot: { task_uuid: task, steps: [{ name: 'first' }, { name: 'second' }] },
    notes: [{ author: 'bob', note: 'asked the bank' }],
  });
  expect(await on.project.run(['dlq', 'resolve', task])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is closed: permanently_failed by ann'),
  });
  expect((await on.project.run(['dlq', 'list', '-s', 'all'])).stdout).toMatch(
    /permanently_failed +payments +demo\/pair/,
  );
  expect((await on.project.run(['dlq', 'stats'])).stdout).toMatch(/manual_dlq +0 +0 +- +0 +1 +0 +[\d.]+ m?s/);
});

it('redriving one task reports which steps run again, or why none does', async () => {
  const task = await on.project.create('pair');
  await on.project.run(['dlq', 'add', task]);
  expect(await on.project.run(['dlq', 'redrive', task])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('cannot be redriven: it is in pending, and nothing failed'),
  });
  await on.project.run(['task', 'cancel', task]);
  await on.project.run(['dlq', 'add', task, '--reason', 'was that right?']);
  expect(await on.project.run(['dlq', 'redrive', task, '--reason', 'no'])).toMatchObject({
    code: 0,
    stderr: `reopened ${task} (was cancelled): first, second continue; the task is pending\n`,
  });
  expect(await on.project.json(['dlq', 'show', task])).toMatchObject({ resolution_notes: 'redriven: no' });
});

it('redriving many tasks shows a preview, asks for confirmation, and reports the skipped tasks', async () => {
  const tasks = await Promise.all([on.project.create('pair'), on.project.create('pair'), on.project.create('pair')]);
  for (const task of tasks.slice(0, 2)) await on.project.run(['task', 'cancel', task]);
  expect(await on.project.run(['dlq', 'add', ...tasks])).toMatchObject({
    code: 0,
    stderr: '3 tasks added to the dead letters\n',
  });
  const preview = await on.project.run(['dlq', 'redrive', '--all', '--dry-run']);
  expect(preview.stdout).toContain('would redrive 3 tasks: all');
  expect(await on.project.run(['dlq', 'redrive', '--all'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('redrive 3 tasks? Standard input is not a terminal'),
  });
  const done = await on.project.run(['dlq', 'redrive', '--dlq-reason', 'manual_dlq', '--yes', '--reason', 'again']);
  expect(done.stdout).toMatch(/redriven 2 of 3 tasks \(bulk \d+\)\n\n1 skipped:/);
  expect(done.stdout).toContain('it is in pending, and nothing failed');
});

it.each([
  [['dlq', 'redrive'], 'no dead letter was given; pass its id or the id of its task'],
  [['dlq', 'redrive', NONE, '--all'], 'or a filter, not both'],
  [['dlq', 'resolve'], 'no dead letter was given'],
  [['dlq', 'add'], 'no task was given'],
  [['dlq', 'assign', NONE], 'pass --to NAME, --unassign or --priority'],
  [['dlq', 'assign', NONE, '--to', 'a', '--unassign'], 'exclude each other'],
  [['dlq', 'show', 'x'], 'is not a UUID: x'],
  [['dlq', 'resolve', NONE, '-s', 'done'], 'it must be one of manually_resolved, permanently_failed, cancelled'],
  [['dlq', 'list', '--dlq-reason', 'manual'], 'it must be one of staleness_timeout'],
  [['dlq', 'lst'], 'unknown command'],
])('%j is a usage error', async (args, message) => {
  const { code, stderr } = await on.project.run(args);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
});

it('the error for an unknown dead letter names the id and gives advice', async () => {
  expect(await on.project.run(['dlq', 'show', NONE])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`${NONE} is neither a dead letter nor a task with one`),
  });
});
