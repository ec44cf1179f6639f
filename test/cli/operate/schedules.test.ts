import { rm } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { projectOnDatabase } from '../installation.ts';

const TEMPLATE = `
name: report
namespace: demo
version: 1.0.0
identity_strategy: always_unique
steps:
  - { name: write, handler: write }
`;
const SIGN = `
name: sign
namespace: demo
version: 1.0.0
identity_strategy: always_unique
steps:
  - { name: cool_off, type: timer, timer: { for: 2h } }
  - { name: ok, type: approval, approval: { title: Release? } }
`;
const BERLIN = ['--cron', '0 2 * * *', '--timezone', 'Europe/Berlin'];

const on = projectOnDatabase({ 'templates/report.yaml': TEMPLATE, 'templates/sign.yaml': SIGN });
const run = (...args: string[]) => on.project.run(args);
const schedule = (...args: string[]) => run('schedule', ...args);
const create = (name: string, ...args: string[]) => schedule('create', name, '-t', 'demo/report@1.0.0', ...args);
const uuid = '[0-9a-f-]{36}';

it('a schedule is created, shown, changed, paused, resumed and deleted', async () => {
  expect(await schedule('list')).toMatchObject({
    code: 0,
    stdout: '',
    stderr: 'no schedules yet; create one with `tasker schedule create`, or put files into schedules/\n',
  });
  const created = await create('nightly', ...BERLIN, '--overlap', 'skip');
  expect(created.stderr).toMatch(
    /^created schedule nightly: at 02:00 every day, Europe\/Berlin; next: \w{3} \d{4}-\d\d-\d\d 02:00:00 \+0[12]:00\n/,
  );
  expect(created.stderr).toContain('template demo/report@1.0.0 is not registered yet');
  expect(await create('nightly', ...BERLIN)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('schedule nightly already exists'),
  });
  const listed = await schedule('list');
  expect(listed.stdout).toMatch(
    /^ +NAME +NEXT +LAST +TEMPLATE +WHEN\n• nightly +in \d+ (d|h|min|s)(?: \d+ (?:h|min))? +— +demo\/report@1\.0\.0 +at 02:00 every day/,
  );
  expect(listed.stderr).toBe('1 schedule\n');

  const { code, stderr } = await schedule('update', 'nightly', '--cron', '0 3 * * *', '--jitter', '5m');
  expect([code, stderr]).toEqual([0, expect.stringContaining('updated schedule nightly: at 03:00 every day')]);
  expect((await schedule('show', 'nightly')).stdout).toMatch(/^jitter +each due time is delayed by up to 5 min$/m);
  expect((await schedule('update', 'nightly', '--jitter', '90')).code).toBe(0);
  expect(await on.project.json(['schedule', 'show', 'nightly'])).toMatchObject({ jitter_ms: 90_000 });
  expect((await schedule('update', 'nightly', '--unset', 'jitter')).code).toBe(0);
  expect((await schedule('show', 'nightly')).stdout).not.toContain('jitter');
  expect(await schedule('update', 'nightly')).toMatchObject({ code: 2, stderr: expect.stringContaining('--unset') });
  expect(await schedule('update', 'nightly', '--unset', 'name')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--unset name: this setting cannot be removed'),
  });

  expect((await schedule('pause', 'nightly', '--reason', 'audit', '--by', 'ann')).stderr).toContain('paused schedule');
  expect((await schedule('pause', 'nightly')).stderr).toBe('schedule nightly is already paused\n');
  expect((await schedule('show', 'nightly')).stdout).toMatch(/^state +paused since .*Z by ann: audit$/m);
  expect((await schedule('list', '--state', 'paused')).stdout).toMatch(/‖ nightly +paused/);
  expect((await schedule('resume', 'nightly')).stderr).toMatch(/^resumed schedule nightly; next: /);
  expect((await schedule('resume', 'nightly')).stderr).toContain('is not paused');

  expect(await schedule('show', 'Nightly')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('mean nightly?'),
  });
  expect(await schedule('delete', 'nightly')).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
  expect((await schedule('delete', 'nightly', '--yes')).stderr).toBe('deleted schedule nightly; its tasks are kept\n');
  expect(await schedule('delete', 'nightly', '--yes')).toMatchObject({ code: 1 });
});

it('a schedule is triggered and backfilled, and past due times are listed with their tasks', async () => {
  await run('task', 'create', 'report');
  await create('filled', ...BERLIN);
  const triggered = await schedule('trigger', 'filled');
  expect(triggered).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(new RegExp(`^${uuid}\n$`)) });
  const range = ['--from', '2026-01-01T00:00Z', '--to', '2026-01-03T12:00Z'];
  expect(await schedule('backfill', 'filled', ...range, '--dry-run')).toMatchObject({
    stdout: expect.stringMatching(/^DUE +OUTCOME +TASK +REASON\n2026-01-01T01:00:00Z +planned/),
    stderr: '3 tasks would be created; 0 tasks already exist\n',
  });
  expect((await schedule('backfill', 'filled', ...range)).stderr).toBe('3 tasks created; 0 tasks already exist\n');
  expect(await schedule('backfill', 'filled', ...range)).toMatchObject({
    stdout: '',
    stderr: '0 tasks created; 3 tasks already exist\n',
  });
  const shown = (await schedule('show', 'filled')).stdout;
  expect(shown).toMatch(new RegExp(`^▶ 2026-01-03T01:00:00Z +backfill +${uuid} +steps_in_process$`, 'm'));
  expect(shown).toContain(triggered.stdout.trim());
  expect((await schedule('backfill', 'filled', '--from', '2d', '--to', '1h', '--dry-run')).stderr).toMatch(
    /^[12] tasks? would be created/,
  );
});

it.each([
  ['--from', 'soon', '--to', '1h'],
  ['--from', '2026-01-01T00:00Z', '--to', 'now'],
])('backfill %s %s %s %s is rejected with examples', async (...range) => {
  expect(await schedule('backfill', 'filled', ...range)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('it must be a time, such as 2026-01-02T03:04Z, an age'),
  });
});

it.each([
  [[], '`cron` is missing'],
  [['--cron', '0 0 31 2 *'], 'it never matches'],
  [['--cron', '0 9 * * *', '--timezone', 'Mars/Olympus'], 'is not a known time zone'],
  [['--every', '-5s'], '`every` must be a duration'],
  [['--every', '0'], '`every` must be at least one second, not 0; write for example 30s, 15m or 1d'],
  [['--every', '1h', '--cron', '0 9 * * *'], 'cannot be combined'],
  [['--every', '1h', '--end', '300000-01-01T00:00Z'], 'until the year 9999'],
  [['--every', '1h', '--overlap', 'often'], 'allow, skip, queue_one or cancel_running'],
])('schedule create with %j reports the problem', async (settings, message) => {
  expect(await create('wrong', ...settings)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  expect(await schedule('show', 'wrong')).toMatchObject({ code: 1 });
});

it('apply makes the schedules match the files, and pauses a schedule whose file is gone', async () => {
  const { project } = on;
  const file = (cron: string) => `name: monthly\ntemplate: demo/report@1.0.0\ncron: ${cron}\n`;
  await project.write('schedules/monthly.yaml', file('0 0 L * *'));
  const apply = (...more: string[]) => schedule('apply', '--source', 'shop', ...more);
  expect(await apply('--dry-run')).toMatchObject({ stderr: '1 schedule of shop would change; 0 unchanged\n' });
  expect(await schedule('show', 'monthly')).toMatchObject({ code: 1 });
  expect((await apply()).stdout).toMatch(/^monthly +created/m);
  expect(await apply()).toMatchObject({ code: 0, stdout: '', stderr: 'no schedule of shop changes; 1 unchanged\n' });
  await project.write('schedules/monthly.yaml', file('0 3 L * *'));
  expect((await apply()).stdout).toMatch(/^monthly +updated/m);
  await project.write('schedules/monthly.yaml', file('0 0 L * *'));
  expect((await apply()).stdout).toMatch(/^monthly +updated/m);

  await project.write('schedules/twin.yaml', file('0 1 * * *'));
  expect(await apply()).toMatchObject({ code: 1, stderr: expect.stringMatching(/is also in schedules\/\w+\.yaml/) });
  await project.write('schedules/twin.yaml', 'name: twin\ntemplate: demo/report@1.0.0\ncron: 0 0 31 2 *\ncolor: red\n');
  const { code, stderr } = await apply();
  expect(code).toBe(1);
  expect(stderr).toContain('schedules/twin.yaml:3:7: error: `cron` `0 0 31 2 *` is not usable');
  expect(stderr).toContain('schedules/twin.yaml:4:1: error: unknown key `color`');

  await Promise.all(['monthly', 'twin'].map((name) => rm(path.join(project.folder, `schedules/${name}.yaml`))));
  expect((await apply()).stdout).toMatch(/^monthly +paused +it is no longer among the files of shop/m);
  expect((await schedule('show', 'monthly')).stdout).toMatch(/^state +paused since/m);
});

it('`task why` explains a task with a later start, and other commands reschedule and start it', async () => {
  const task = await on.project.create('report', '--in', '3d');
  const why = await run('task', 'why', task);
  expect(why.stdout).toMatch(
    /starts in 3 d, at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ; start it now: `tasker task start-now /,
  );
  const moved = await run('task', 'reschedule', task, '--at', '2127-01-01T09:00:00+01:00');
  expect(moved.stderr).toBe(`task ${task} starts at 2127-01-01T08:00:00Z\n`);
  expect(await run('task', 'reschedule', task)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('pass the new time with --at or --in'),
  });
  expect((await run('task', 'start-now', task)).stderr).toBe(`started task ${task}\n`);
  expect(await run('task', 'start-now', task)).toMatchObject({ code: 1 });
  expect(await run('task', 'reschedule', task, '--in', '2h')).toMatchObject({ code: 1 });
});

it.each([
  [['--at', 'tomorrow'], "option '--at <time>' argument 'tomorrow' is invalid"],
  [['--at', '2127-01-01T09:00'], 'it must be a date and time with a zone'],
  [['--in=-3d'], 'it must be a duration'],
  [['--in', '1h', '--at', '2127-01-01T09:00Z'], '--at and --in cannot be combined'],
])('task create %j is rejected', async (start, message) => {
  expect(await run('task', 'create', 'report', ...start)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(message),
  });
});

it('timer fire and timer move reject steps that do not wait for a timer', async () => {
  const task = await on.project.create('sign');
  for (const [act, ...more] of [['fire'], ['move', '2127-01-01T09:00Z']] as const) {
    const { code, stderr } = await run('timer', act, task, 'ok', ...more);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/step ok of task .* cannot be (fired|moved): its state is /),
    ]);
  }
  expect(await run('timer', 'fire', task, 'nope')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('it has cool_off, ok'),
  });
});
