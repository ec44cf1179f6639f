import { beforeAll, expect, it } from 'vitest';
import { PAIR, projectOnDatabase } from '../installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR });

interface Entry {
  action: string;
  actor: string;
  target: string | null;
  task_uuid: string | null;
  bulk_id: number | null;
  entries: number;
  details: Record<string, unknown> | null;
}

beforeAll(async () => {
  for (const tag of ['one', 'one', 'one', 'two', 'two', 'alone']) await on.project.create('pair', '-t', tag);
  await on.project.run(['task', 'cancel', '--tag', 'one', '--yes', '--by', 'ann', '--reason', 'wrong import']);
  await on.project.run(['task', 'cancel', '--tag', 'two', '--yes', '--by', 'bob']);
  const { tasks } = await on.project.json<{ tasks: { task_uuid: string }[] }>(['task', 'list', '--tag', 'alone']);
  await on.project.run(['task', 'cancel', tasks[0]!.task_uuid, '--by', 'ann']);
});

const list = async (...args: string[]) => {
  const { entries } = await on.project.json<{ entries: Entry[] }>(['audit', 'list', ...args]);
  return entries.map(({ action, actor, target, entries: count }) => [action, actor, target, count]);
};

it('audit list shows a bulk action as one line, and --each shows every action', async () => {
  expect(await list()).toEqual([
    ['cancel', 'ann', null, 1],
    ['task_cancel', 'bob', 'bulk 2', 3],
    ['task_cancel', 'ann', 'bulk 1', 4],
  ]);
  const { stdout, stderr } = await on.project.run(['audit', 'list']);
  expect(stdout).toMatch(/ ann +cli +task_cancel +bulk 1, 4 actions +1 +wrong import$/m);
  expect(stdout.trim().split('\n')).toHaveLength(4);
  expect(stderr).toBe('a bulk action is one line; --each lists its actions\n');
  expect(await list('--each')).toHaveLength(8);
  expect((await list('--each')).every(([, , , count]) => count === 1)).toBe(true);
  expect((await on.project.run(['audit', 'list', '--each'])).stderr).toBe('');
});

it('audit list --bulk and --task show every action, and conditions apply before actions are folded', async () => {
  expect(await list('--bulk', '1')).toHaveLength(4);
  const { entries } = await on.project.json<{ entries: Entry[] }>(['audit', 'list', '--bulk', '1']);
  const task = entries.find(({ task_uuid }) => task_uuid !== null)!.task_uuid!;
  expect(await list('--task', task)).toEqual([['cancel', 'ann', null, 1]]);
  expect(await list('--action', 'cancel')).toEqual([
    ['cancel', 'ann', null, 1],
    ['task_cancel', 'bob', 'bulk 2', 2],
    ['task_cancel', 'ann', 'bulk 1', 3],
  ]);
  expect(await list('--action', 'task_cancel', '--actor', 'bob')).toEqual([['task_cancel', 'bob', 'bulk 2', 1]]);
  const [, folded] = (await on.project.json<{ entries: Entry[] }>(['audit', 'list', '--actor', 'ann'])).entries;
  expect(folded).toMatchObject({ details: { matched: 3, filter: { tag: ['one'] } }, task_uuid: null });
});

it('audit list prints the whole command for the next page, which continues after a folded bulk action', async () => {
  const seen: unknown[] = [];
  let args = ['audit', 'list', '--door', 'cli', '--after', '2020-01-01 00:00Z', '--limit', '1'];
  for (let page = 0; page < 3; page++) {
    seen.push(...(await list(...args.slice(2))));
    const { stderr } = await on.project.run(args);
    const next =
      /^next page: npx tasker (audit list --door cli --after '2020-01-01 00:00Z' --limit 1 --cursor \S+)$/m.exec(
        stderr,
      );
    if (page === 2) expect(next).toBeNull();
    else args = next![1]!.match(/'[^']*'|\S+/g)!.map((word) => word.replaceAll("'", ''));
  }
  expect(seen).toEqual(await list());
});

it('audit list rejects an unknown action and suggests a similar one, and accepts actions without entries', async () => {
  const wrong = await on.project.run(['audit', 'list', '--action', 'task_cancl']);
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect(wrong.stderr).toBe('error: unknown action task_cancl; did you mean task_cancel?\n');
  expect((await on.project.run(['audit', 'list', '--action', 'zzzzzzzzz'])).stderr).toMatch(
    /^error: unknown action zzzzzzzzz; the actions are activate, approval_reassign, bulk_resume, .*task_undo, undo\n$/,
  );
  expect(await on.project.run(['audit', 'list', '--action', 'rotate_key'])).toMatchObject({
    code: 0,
    stderr: 'no action matches: action rotate_key\n',
  });
  // A later version of the package may have recorded it.
  await on.database.sql(
    `insert into tasker.operator_action (action, target, actor, door) values ('later_verb', 'x', 'ann', 'cli')`,
  );
  expect(await list('--action', 'later_verb')).toEqual([['later_verb', 'ann', 'x', 1]]);
  await on.database.sql(`delete from tasker.operator_action where action = 'later_verb'`);
});
