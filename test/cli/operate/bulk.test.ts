import { expect, it } from 'vitest';
import { openSession } from '../../support/database.ts';
import { until } from '../../support/setup.ts';
import { PAIR, projectOnDatabase } from '../installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR });

const NONE = '00000000-0000-0000-0000-000000000000';

/** Creates tasks whose first step failed. Uses SQL, because no worker runs in these tests. */
async function blocked(count: number): Promise<string[]> {
  const like = await on.project.create('pair', '-t', 'night');
  const rows = await on.database.sql<{ task_uuid: string }>(
    `
    with t as (
      insert into tasker.task (task_uuid, template_id, n_open, n_active, n_error, context, tags)
      select ('01900000-' || lpad(to_hex((random() * 65535)::int), 4, '0') || '-7' || substr(gen_random_uuid()::text, 16))::uuid,
             template_id, n_open, 0, 1, context, tags
        from tasker.task, generate_series(1, $2) where task_uuid = $1 returning task_uuid, template_id),
    s as (
      insert into tasker.step (task_uuid, idx, state, remaining, attempts, max_attempts, retryable, claim, started_at, done_at)
      select t.task_uuid, x.idx, case when x.remaining = 0 then 'error'::tasker.step_state else 'pending' end, x.remaining,
             case when x.remaining = 0 then 1 else 0 end, x.max_attempts, x.retryable, 16777217, now(), now()
        from t, tasker.step x where x.task_uuid = $1),
    p as (
      insert into tasker.task_search (task_uuid, template_id, state, created_at, updated_at, tags)
      select task_uuid, template_id, 'blocked_by_failures', now(), now(), array['night'] from t),
    q as (
      insert into tasker.step_search (task_uuid, idx, template_id, state, since, created_at, attempts, error_type, error)
      select t.task_uuid, x.idx, t.template_id, 'error', now(), now(), 1, 'timeout', 'the bank did not answer'
        from t, tasker.step x where x.task_uuid = $1 and x.remaining = 0)
    select task_uuid from t`,
    [like, count],
  );
  await on.project.run(['task', 'cancel', like]);
  return rows.map((row) => row.task_uuid);
}

const tagged = async (state: string) => {
  const [row] = await on.database.sql<{ n: number }>(
    `select count(*)::int n from tasker.task where tags = '{night}' and state::text = $1`,
    [state],
  );
  return row!.n;
};

it('a dry run shows the number of tasks and a sample of the steps that would run again, without changing anything', async () => {
  await blocked(12);
  const dry = await on.project.run(['task', 'retry', '--error-type', 'timeout', '--dry-run']);
  expect(dry.code).toBe(0);
  expect(dry.stdout).toContain('would retry 12 tasks: error type timeout');
  expect(dry.stdout).toMatch(/demo\/pair@1\.0\.0 +blocked_by_failures +first +1 +timeout: the bank did not answer/);
  expect(dry.stdout).toContain('… and 2 more');
  const json = await on.project.json(['step', 'retry', '--step', 'first', '--dry-run']);
  expect(json).toMatchObject({ action: 'step_retry', dry_run: true, matched: 12, not_retryable: 0 });
  expect(await tagged('blocked_by_failures')).toBe(12);
  expect(await on.project.json(['bulk', 'list'])).toEqual([]);
});

it('without a terminal, a command without --yes changes nothing and suggests --yes', async () => {
  const refused = await on.project.run(['task', 'cancel', '--tag', 'night']);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('cancel 12 tasks? Standard input is not a terminal');
  expect(refused.stderr).toContain('pass --yes');
  expect(await tagged('blocked_by_failures')).toBe(12);
});

it('a command with neither ids nor a filter, or with both, is rejected', async () => {
  const none = await on.project.run(['task', 'retry', '--yes']);
  expect([none.code, none.stderr]).toEqual([
    2,
    expect.stringContaining('no task was given; pass its id, --id, --ids -'),
  ]);
  const both = await on.project.run(['task', 'retry', NONE, '--open', '--yes']);
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('or a filter, not both')]);
  const file = await on.project.run(['task', 'retry', '--ids', 'file.txt']);
  expect([file.code, file.stderr]).toEqual([
    2,
    expect.stringContaining('--ids accepts only - (standard input), got file.txt'),
  ]);
});

it('a command accepts ids as arguments, with --id and from standard input, and is recorded in the audit', async () => {
  const [a, b, c, d] = (await blocked(4)) as [string, string, string, string];
  const { code, stdout } = await on.project.run(
    ['task', 'cancel', a, '--id', b, '--ids', '-', '--yes', '-r', 'twice ordered', '-b', 'anna', '--json'],
    { input: `${c}\n\n${a}\n${NONE}\n` },
  );
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ action: 'task_cancel', matched: 4, done: 3, actor: 'anna', failed: [] });
  expect(result.skipped).toEqual([{ task_uuid: NONE, step: null, why: 'task not found' }]);
  const audit = await on.project.json<{ entries: object[] }>(['audit', 'list', '--bulk', String(result.id)]);
  expect(audit.entries).toHaveLength(4);
  expect(audit.entries[0]).toMatchObject({ action: 'cancel', door: 'cli', actor: 'anna', reason: 'twice ordered' });
  const step = await on.project.run(['step', 'reset', d, 'first']);
  expect(step.stderr).toContain('step first is enqueued, the task is steps_in_process');
  const shown = await on.project.run(['audit', 'list', '--action', 'reset']);
  expect(shown.stdout).toMatch(new RegExp(`cli +reset +${d} first +error → enqueued`));
});

it('retrying and resolving a single task needs no confirmation, but deleting it does', async () => {
  const [a, b] = (await blocked(2)) as [string, string];
  expect((await on.project.run(['task', 'retry', a])).stderr).toContain(
    `retried first of ${a}; the task is steps_in_process`,
  );
  expect((await on.project.run(['task', 'resolve', b])).stderr).toBe(`resolved ${b}\n`);
  const asked = await on.project.run(['task', 'delete', b]);
  expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('pass --yes')]);
  expect((await on.project.run(['task', 'delete', b, '-y'])).stderr).toBe(`deleted ${b}\n`);
  const open = await on.project.run(['task', 'delete', a, '-y']);
  expect([open.code, open.stderr]).toEqual([1, expect.stringContaining('cancel or resolve it first')]);
});

it('a command that is killed halfway is resumed, and each failure is retried exactly once', async () => {
  const ids = await blocked(2_000);
  // Locks the last task, so that the command cannot end before it is killed.
  const holder = await openSession(on.database.url);
  await holder.query('begin');
  await holder.query('select 1 from tasker.task where task_uuid = $1 for update', [[...ids].sort().at(-1)]);
  const args = ['task', 'retry', '--tag', 'night', '--status', 'blocked_by_failures', '--yes', '-r', 'bank is back'];
  const command = on.project.start(args);
  const done = () =>
    on.database.sql<{ id: number; done: number }>('select id::int, done from tasker.bulk order by id desc limit 1');
  const { id } = (await until(done, ([row]) => (row?.done ?? 0) > 200, 60_000))[0]!;
  command.process.kill('SIGKILL');
  await command.ended;
  await holder.query('rollback');
  const before = await on.project.json<{ done: number; state: string }>(['bulk', 'show', String(id)]);
  expect(before.done).toBeLessThan(2_000);
  expect(before.state).toBe('running');
  const resumed = await on.project.run(['bulk', 'resume', String(id)]);
  expect([resumed.code, resumed.stdout]).toEqual([
    0,
    expect.stringMatching(`^retried (\\d+) of \\1 tasks \\(bulk ${id}\\)`),
  ]);
  const twice = await on.database.sql(
    `select 1 from tasker.operator_action where bulk_id = $1 and action = 'reset' group by task_uuid, idx having count(*) > 1`,
    [id],
  );
  expect(twice).toEqual([]);
  const [{ n }] = (await on.database.sql(
    `select count(distinct task_uuid)::int n from tasker.operator_action where bulk_id = $1 and action = 'reset' and task_uuid = any ($2)`,
    [id, ids],
  )) as [{ n: number }];
  expect(n).toBe(2_000);
  const again = await on.project.run(['bulk', 'resume', String(id)]);
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('it is done; start a new action instead')]);
  const list = await on.project.run(['bulk', 'list']);
  expect(list.stdout).toMatch(/task retry +done +(\d+)\/\1 /);
  expect((await on.project.run(['bulk', 'show', '999'])).stderr).toContain('bulk action 999 not found');
});

it('an action that matches no task reports its filter', async () => {
  for (const flags of [['--yes'], ['--dry-run'], []]) {
    const { code, stdout, stderr } = await on.project.run(['task', 'retry', '--error-type', 'no_such_error', ...flags]);
    expect({ code, said: stdout + stderr }).toEqual({
      code: 0,
      said: expect.stringContaining('no task to retry: error type no_such_error'),
    });
  }
});
