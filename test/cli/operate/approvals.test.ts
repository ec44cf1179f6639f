import { beforeAll, expect, it, vi } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { PAIR_HANDLERS, projectOnDatabase } from '../installation.ts';

const approvalOf = (name: string, settings: string) => `name: ${name}
namespace: demo
version: "1.0.0"
identity_strategy: always_unique
steps:
  - { name: agree, type: approval, approval: { title: Agree?, ${settings} } }
`;

const on = projectOnDatabase({
  'handlers/pair.js': PAIR_HANDLERS,
  'templates/small.yaml': approvalOf('small', 'assignees: [ana, managers], quorum: 1'),
  'templates/large.yaml': approvalOf('large', 'assignees: [ana, bob], quorum: 2'),
});
const tasks: Record<'small' | 'large', string[]> = { small: [], large: [] };

beforeAll(async () => {
  const tasker = await createTasker({
    databaseUrl: on.database.url,
    templates: `${on.project.folder}/templates`,
    handlers: `${on.project.folder}/handlers`,
    logger: silentLogger,
  });
  for (const [name, count] of [
    ['small', 7],
    ['large', 3],
  ] as const) {
    for (let i = 0; i < count; i++) {
      tasks[name].push((await tasker.createTask({ namespace: 'demo', name })).taskUuid);
    }
  }
  const waiting = async () => {
    for (const uuid of [...tasks.small, ...tasks.large]) expect((await tasker.getTask(uuid)).status).toBe('waiting');
  };
  await vi.waitFor(waiting, { timeout: 30_000, interval: 50 });
  await tasker.stop();
});

const approval = (...args: string[]) => on.project.run(['approval', ...args]);

it('approval list says how many approvals there are', async () => {
  const { stderr } = await approval('list', '-l', '3');
  expect(stderr).toMatch(/^3 of 10 approvals\nnext page: npx tasker approval list -l 3 --cursor \S+\n$/);
  expect((await approval('list', '--name', 'large')).stderr).toBe('3 approvals: name large\n');
  expect(await on.project.json(['approval', 'list', '-l', '3'])).toMatchObject({ total: 10, total_is_exact: true });
});

it('approve and reassign with a filter show the approvals and ask, and change nothing without a confirmation', async () => {
  const dry = await approval('approve', '--name', 'small', '--dry-run', '--by', 'ana');
  expect(dry).toMatchObject({ code: 0, stderr: '' });
  expect(dry.stdout).toContain('would approve 7 approvals: name small\n\nTASK ');
  expect(dry.stdout).toContain(tasks.small[0]);
  const refused = await approval('approve', '--name', 'small', '--by', 'ana');
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('approve 7 approvals? Standard input is not a terminal');
  expect((await approval('list')).stderr).toBe('10 approvals\n');
  const none = await approval('approve', '--assignee', 'zoe', '--by', 'zoe', '--yes');
  expect(none).toMatchObject({ code: 0, stderr: 'no open approval to approve: assignee zoe\n' });
});

it('an approval that cannot be decided does not stop the others, and the error names who decided', async () => {
  expect((await approval('approve', tasks.small[0]!, 'agree', '--by', 'managers')).code).toBe(0);
  const late = await approval('reject', tasks.small[0]!, 'agree', '--by', 'ana');
  expect(late.stderr).toMatch(/^error: step agree of task \S+ no longer waits: it was approved by managers at 20/);
  const done = await approval('approve', '--assignee', 'managers', '--by', 'bob', '--role', 'managers', '--yes');
  expect(done).toMatchObject({ code: 0, stdout: 'approved 6 of 6 approvals\n' });
  const shown = await approval('reject', tasks.small[1]!, 'agree', '--by', 'ana');
  expect(shown.stderr).toContain('it was approved by bob (as managers) at 20');

  const reassigned = await approval('reassign', '--task', tasks.large[0]!, '--to', 'zoe', '--yes');
  expect(reassigned.stdout).toBe('reassigned 1 of 1 approval\n');
  const some = await approval('approve', '-n', 'demo', '--by', 'bob', '--yes');
  expect(some.code).toBe(1);
  expect(some.stdout).toMatch(/^approved 2 of 3 approvals; 2 wait for more votes\n\n1 failed:\nTASK +STEP +WHY\n/);
  expect(some.stdout).toContain(`bob may not vote on step agree of task ${tasks.large[0]}; its assignees are zoe`);
  const json = await on.project.run(['approval', 'approve', '-n', 'demo', '--by', 'ana', '--yes', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({
    done: [{ status: 'approved' }, { status: 'approved' }],
    failed: [{ task_uuid: tasks.large[0], step: 'agree', why: expect.stringContaining('ana may not vote') }],
  });
});

it('a command with neither an approval nor a filter, or with both, is rejected', async () => {
  for (const [args, error] of [
    [['approve'], 'no approval was given; pass TASK STEP, or a filter such as --assignee ana'],
    [['approve', tasks.large[0]!], 'no approval was given; pass TASK STEP, or a filter such as --assignee ana'],
    [['reassign', tasks.large[0]!, 'agree', '--to', 'x', '--name', 'large'], 'pass TASK STEP or a filter, not both'],
    [
      ['reject', tasks.large[0]!, 'agree', '--dry-run'],
      '--dry-run is for a filter; `approval show TASK STEP` shows one approval',
    ],
    [['reassign', '--name', 'large'], 'pass --to NAME, once for each user or role, or --everyone'],
  ] as const) {
    expect(await approval(...args)).toMatchObject({ code: 2, stdout: '', stderr: `error: ${error}\n` });
  }
});
