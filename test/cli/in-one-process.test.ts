import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { PAIR } from './installation.ts';
import { type HereOptions, RunningHere } from './running.ts';

let root: string;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let other: Awaited<ReturnType<typeof freshDatabase>>;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tasker-one-process-'));
  [database, other] = await Promise.all([freshDatabase(), freshDatabase()]);
});

afterAll(async () => {
  await Promise.all([database?.drop(), other?.drop()]);
  await rm(root, { recursive: true, force: true });
});

async function folder(name: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  for (const [file, text] of Object.entries({ 'package.json': `{"name":"${name}"}`, ...files })) {
    const place = path.join(root, name, file);
    await mkdir(path.dirname(place), { recursive: true });
    await writeFile(place, text);
  }
  return path.join(root, name);
}

async function shop(name = 'shop') {
  const cwd = await folder(name, { 'templates/pair.yaml': PAIR });
  const env = { DATABASE_URL: database.url };
  const start = (args: readonly string[], options: Partial<HereOptions> = {}) =>
    new RunningHere(args, { cwd, env, ...options });
  const run = (args: readonly string[], options?: Partial<HereOptions>) => start(args, options).ended;
  const create = async (...args: string[]) => (await run(['task', 'create', 'pair', ...args])).stdout.trim();
  return { cwd, env, start, run, create };
}

it('commands that run at the same time keep their folders, environments, outputs and exit codes apart', async () => {
  const before = { cwd: process.cwd(), env: { ...process.env }, exitCode: process.exitCode };
  const template = (name: string) => PAIR.replace('name: pair', `name: ${name}`);
  const [east, west, bad] = await Promise.all([
    folder('east', { 'templates/only.yaml': template('eastern') }),
    folder('west', {
      'templates/only.yaml': template('western'),
      'tasker.toml': '[worker]\nmax_concurrent_steps = 7\n',
    }),
    folder('bad', { 'templates/only.yaml': PAIR.replace('[first]', '[frist]') }),
  ]);
  const rounds = Array.from({ length: 5 }, async (_, i) => {
    const run = (cwd: string, env: Record<string, string>, args: string[]) => new RunningHere(args, { cwd, env }).ended;
    const [inEast, inWest, config, invalid, usage, unreachable] = await Promise.all([
      run(east, { DATABASE_URL: database.url }, ['task', 'create', 'eastern', '-t', `e${i}`, '--json']),
      run(west, { DATABASE_URL: other.url }, ['task', 'create', 'western', '-t', `w${i}`, '--json']),
      run(west, { TASKER_ENV: `round_${i}` }, ['config', 'show', '--json']),
      run(bad, {}, ['template', 'validate', 'templates']),
      run(east, {}, ['task', `nothing-${i}`]),
      run(west, { DATABASE_URL: 'postgres://127.0.0.1:1/none' }, ['task', 'list']),
    ]);
    expect([inEast.code, inWest.code, config.code, invalid.code, usage.code, unreachable.code]).toEqual([
      0, 0, 0, 1, 2, 3,
    ]);
    expect(JSON.parse(inEast.stdout)).toMatchObject({ created: true });
    expect(JSON.parse(inWest.stdout)).toMatchObject({ created: true });
    const { files, values } = JSON.parse(config.stdout) as {
      files: string[];
      values: Record<string, { value: unknown }>;
    };
    expect(files).toEqual([path.join(west, 'tasker.toml')]);
    expect(Object.values(values).map(({ value }) => value)).toContain(`round_${i}`);
    expect(invalid.stdout).toMatch(/^templates\/only\.yaml:8:/);
    expect([usage.stdout, usage.stderr]).toEqual(['', expect.stringContaining(`'nothing-${i}'`)]);
    expect(unreachable.stdout).toBe('');
  });
  await Promise.all(rounds);
  const names = ({ sql }: typeof database) =>
    sql(`select name, count(*)::int n from tasker.task join tasker.template on id = template_id group by 1`);
  expect(await names(database)).toEqual([{ name: 'eastern', n: 5 }]);
  expect(await names(other)).toEqual([{ name: 'western', n: 5 }]);
  expect({ cwd: process.cwd(), env: { ...process.env }, exitCode: process.exitCode }).toEqual(before);
});

it('--config applies only to the command that names it', async () => {
  const cwd = await folder('layered', {
    'one.toml': '[common.execution]\nenvironment = "one"\n',
    'two.toml': '[common.execution]\nenvironment = "two"\n',
  });
  const environments = await Promise.all(
    ['one', 'two', undefined].map(async (name) => {
      const args = ['config', 'show', '--json', ...(name === undefined ? [] : ['--config', `${name}.toml`])];
      const { stdout } = await new RunningHere(args, { cwd, env: {} }).ended;
      return Object.values((JSON.parse(stdout) as { values: Record<string, { value: unknown }> }).values).map(
        ({ value }) => value,
      );
    }),
  );
  expect(environments.map((values) => ['one', 'two'].filter((name) => values.includes(name)))).toEqual([
    ['one'],
    ['two'],
    [],
  ]);
  expect(process.env).not.toHaveProperty('TASKER_CONFIG_PATH');
});

describe('an aborted signal stops a command as Ctrl-C does', () => {
  it('task watch ends with 130, and the other commands continue', async () => {
    const { start, create } = await shop();
    const [first, second] = [await create(), await create()];
    const watch = (uuid: string) => start(['task', 'watch', uuid, '--json']);
    const [stopped, continued] = [watch(first), watch(second)];
    await Promise.all([stopped.until(first), continued.until(second)]);
    stopped.interrupt();
    expect(await stopped.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('the task continues') });
    expect((await start(['task', 'cancel', second]).ended).code).toBe(0);
    expect(await continued.ended).toMatchObject({ code: 1, stdout: expect.stringContaining('cancelled') });
  });

  it('status --watch ends with 0', async () => {
    const { start } = await shop();
    const watching = start(['status', '--watch', '--interval', '0.05', '--json']);
    await watching.until('"at":', 3);
    watching.interrupt();
    expect(await watching.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('db prune and bulk end with 130, and name the command that continues', async () => {
    const { start, create } = await shop();
    for (let i = 0; i < 3; i++) await create('-t', 'stopped');
    for (const [args, said] of [
      [['db', 'prune', '--older-than', '0s', '--dry-run'], /^stopped before anything was deleted$/m],
      [
        ['task', 'cancel', '--tag', 'stopped', '--yes'],
        /^stopped after 0 of 3; `npx tasker bulk resume \d+` continues$/m,
      ],
    ] as const) {
      const running = start(args);
      running.interrupt();
      expect(await running.ended).toMatchObject({ code: 130, stdout: '', stderr: expect.stringMatching(said) });
    }
  });
});

describe('the input and the terminal of a command are its own', () => {
  it('reads JSON and ids from standard input', async () => {
    const { run } = await shop();
    const created = await run(['task', 'create', 'pair', '--input', '-'], { input: '{"lucky":true}' });
    expect(created.code).toBe(0);
    const cancelled = await run(['task', 'cancel', '--ids', '-', '--yes'], { input: created.stdout });
    expect([cancelled.code, cancelled.stdout]).toEqual([0, expect.stringContaining('cancelled 1 of 1 task')]);
  });

  it.each([
    ['y\n', 'cancelled 1 of 1 task'],
    ['n\n', 'nothing done'],
    ['', 'nothing done'],
  ])('asks on a terminal, and %j means: %s', async (answer, outcome) => {
    const { start, create } = await shop();
    const tag = `asked-${answer.trim()}`;
    await create('-t', tag);
    const keys = new PassThrough();
    const asking = start(['task', 'cancel', '--tag', tag], { input: keys, isTerminal: true });
    await asking.until('[y/N]');
    keys.end(answer);
    const { code, stdout, stderr } = await asking.ended;
    expect([code, stdout + stderr]).toEqual([0, expect.stringContaining(outcome)]);
  });

  it('draws a live tree on a terminal, beside a command that writes lines to a pipe', async () => {
    const { start, run, create } = await shop();
    const uuid = await create();
    const [live, lines] = [start(['task', 'watch', uuid], { isTerminal: true }), start(['task', 'watch', uuid])];
    await live.until('first');
    await run(['task', 'cancel', uuid]);
    const [drawn, written] = await Promise.all([live.ended, lines.ended]);
    expect(drawn.stdout).toContain('\u001b[?25l');
    expect(written.stdout).not.toContain('\u001b');
  });
});
