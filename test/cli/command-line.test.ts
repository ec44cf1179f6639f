import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oldNodeProblem } from '../../src/config/node-version.ts';
import { installation, PAIR, PAIR_HANDLERS, type Project } from './installation.ts';

/** Arguments that make Node report version 18. */
const OLD_NODE = [
  '--import',
  "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'18.20.8'}})",
];

let place: Awaited<ReturnType<typeof installation>>;
let project: Project;

beforeAll(async () => {
  place = await installation();
  project = await place.project('shop');
  await project.write('templates/pair.yaml', PAIR);
  await project.write('handlers/pair.js', PAIR_HANDLERS);
});

afterAll(() => place?.remove());

describe('the command line', () => {
  it('prints its version, and help for the program, each group and each command', async () => {
    expect((await project.run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const help = await project.run(['help', 'task']);
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('create [options] [name]')]);
    const packed = await project.run(['worker', '--help']);
    expect([packed.code, packed.stdout]).toEqual([0, expect.stringContaining('--drain-timeout')]);
  });

  it.each([
    [['taks', 'list'], 'Did you mean task?'],
    [['taks', 'list', '--name', 'step'], 'Did you mean task?'],
    [['task', 'crate'], 'Did you mean create?'],
    [['task', 'list', '--limt', '3'], 'Did you mean --limit?'],
    [['task', 'list', '-l', 'many'], 'a whole number from 1 to 1000'],
    [['task', 'list', '-s', 'completed'], 'completed is not a task state; did you mean complete?'],
    [['task', 'create', 'pair', '-p', '101'], 'from -100 to 100'],
    [['task', 'get'], "missing required argument 'uuid'"],
    [['worker', '-n', 'my-app'], 'a namespace has 1 to 29 letters, digits and underscores'],
    [['dev', '-n', 'my-app'], 'a namespace has 1 to 29 letters, digits and underscores'],
    [['task'], 'Usage: tasker task'],
    [['task', 'create'], 'the name of the template is missing'],
  ])('rejects %j with advice on standard error and exit code 2', async (args, wayOut) => {
    const { code, stdout, stderr } = await project.run(args, { endsEarly: true });
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(wayOut)]);
  });

  it.each([
    [{ DATABASE_URL: 'shop' }, 'DATABASE_URL is not a PostgreSQL URL'],
    [{ DATABASE_URL: 'postgres://127.0.0.1:1/shop' }, 'no server is listening there'],
    [{ TASKER_ENV: 'production' }, 'DATABASE_URL is not set'],
    [{ TASKER_NAMESPACE: 'my-app' }, 'a namespace has 1 to 29 letters, digits and underscores'],
  ])('a worker with %j prints one message, exits 3 and does not start', async (env, message) => {
    const { code, stdout, stderr } = await project.run(['worker'], { env });
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr.split('\n').filter((line) => line.startsWith('error:'))).toEqual([expect.stringContaining(message)]);
  });

  it('shows the stack of an error only with --verbose', async () => {
    const args = ['task', 'list', '--database-url', 'postgres://me:secret@127.0.0.1:1/shop'];
    const short = await project.run(args);
    expect(short.code).toBe(3);
    expect(short.stderr.trimEnd().split('\n')).toHaveLength(1);
    const long = await project.run([...args, '--verbose']);
    expect(long.stderr).toMatch(/code: database_unreachable.*caused by: .*ECONNREFUSED/s);
    expect(short.stderr + long.stderr).not.toContain('secret');
  });

  it('on an old Node, prints one line with the required version and exits 3', async () => {
    const command = path.join(project.folder, '../node_modules/.bin/tasker');
    const { code, stdout, stderr } = await project.node([...OLD_NODE, command, 'task', 'list']).ended;
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(/^error: tasker-core needs Node 20\.19 or later, and this is Node 18\.20\.8; .*\n$/);
  });

  it.each(['tasker-core', 'tasker-core/testing'])(
    'a program that imports %s on an old Node fails with one error that names both versions',
    async (entry) => {
      await project.write('old.mjs', `import '${entry}';\nconsole.log('imported');\n`);
      const { code, stdout, stderr } = await project.node([...OLD_NODE, 'old.mjs']).ended;
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr.match(/tasker-core needs Node 20\.19 or later, and this is Node 18\.20\.8/g)).toHaveLength(1);
      expect(stderr).not.toContain('    at ');
    },
  );

  it('requires the Node version in package.json', () => {
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };
    const least = engines.node.replace('>=', '');
    expect(oldNodeProblem(`${least}.0`)).toBeUndefined();
    for (const version of ['14.21.3', '18.20.8', '20.18.3', '20.0.0'])
      expect(oldNodeProblem(version), version).toContain(`needs Node ${least} or later`);
    for (const version of ['20.20.1', '21.0.0', '22.1.0', '24.0.0-nightly', '100.0.0'])
      expect(oldNodeProblem(version), version).toBeUndefined();
  });

  it('commands that only read do not create a database', async () => {
    const { code, stderr } = await project.run(['task', 'list'], { endsEarly: true });
    expect([code, stderr]).toEqual([3, expect.stringContaining('no database exists')]);
    expect((await project.run(['db', 'status'], { endsEarly: true })).stdout).toContain('not created yet');
  });

  it('a worker refuses to run outside of a project, and suggests init', async () => {
    const empty = await place.project('empty');
    const { code, stderr } = await empty.run(['worker']);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/^error: templates not found: .*npx tasker-core init/)]);
    expect((await empty.run(['init'])).stderr).toContain('npm init -y');
  });

  it('a worker refuses to start with invalid templates or handlers, and reports their location', async () => {
    const broken = await place.project('broken');
    await broken.write('templates/pair.yaml', PAIR.replace('[first]', '[frist]'));
    await broken.write('handlers/pair.js', PAIR_HANDLERS);
    const template = await broken.run(['worker']);
    expect([template.code, template.stderr]).toEqual([3, expect.stringContaining('templates/pair.yaml:8:')]);
    await broken.write('handlers/pair.js', 'export const first = (');
    const handler = await broken.run(['worker', '--json']);
    expect([handler.code, handler.stderr]).toEqual([3, expect.stringMatching(/error: .*handlers\/pair\.js:1:/)]);
  });

  it('a worker that refuses to start names every invalid template file', async () => {
    const broken = await place.project('several-broken');
    await broken.write('templates/good.yaml', PAIR);
    await broken.write('templates/one.yaml', PAIR.replace('[first]', '[frist]'));
    await broken.write('templates/two.yaml', `# ${'x'.repeat(1_048_576)}\n`);
    await broken.write('templates/three.yaml', 'name: [');
    await broken.write('handlers/pair.js', PAIR_HANDLERS);
    const env = { TASKER_ENV: 'production', DATABASE_URL: 'postgres://127.0.0.1:1/shop' };
    const { code, stderr } = await broken.run(['worker'], { env });
    expect(code).toBe(3);
    for (const file of ['one', 'two', 'three'])
      expect(stderr).toMatch(new RegExp(`templates/${file}\\.yaml:\\d+:\\d+: error`));
  });

  it('prints no error when the reader of its output closes the pipe', async () => {
    const running = project.start(['template', 'show', 'pair', '--json']);
    running.process.stdout!.destroy();
    expect(await running.ended).toMatchObject({ code: 0, stderr: '' });
  });
});
