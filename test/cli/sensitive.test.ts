import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { createTasker } from '../../src/app/create-tasker.ts';
import { READ_TOOLS } from '../../src/cli/mcp/all-tools.ts';
import { withBackend } from '../../src/cli/mcp/backend.ts';
import { TEMPLATE_TOOLS } from '../../src/cli/mcp/template-tools.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import {
  CANARIES,
  fill,
  SENSITIVE_HANDLERS,
  SENSITIVE_TEMPLATES,
  type Things,
} from '../support/rest/sensitive-installation.ts';
import { projectOnDatabase } from './installation.ts';
import { type ArgumentValues, readingCommands } from './reading-commands.ts';
import type { RunningProcess } from './running.ts';

const on = projectOnDatabase();
let things: Things;
let worker: string;
let server: RunningProcess;
let url: string;

beforeAll(async () => {
  const tasker = await createTasker({
    databaseUrl: on.database.url,
    templates: SENSITIVE_TEMPLATES,
    handlers: SENSITIVE_HANDLERS,
    stepLogs: 'all',
    logger: silentLogger,
  });
  things = await fill(tasker);
  worker = (await tasker.listWorkers())[0]!.name;
  // Without a worker, nothing changes on its own.
  await tasker.stop();
  server = on.project.start(['server', '--bind', '127.0.0.1:0', '--json']);
  await server.until('server is ready');
  url = /"url":"([^"]+)"/.exec(server.output)![1]!;
});
afterAll(() => {
  server?.process.kill('SIGKILL');
});

/** The values of arguments, and further options with which commands print more. */
const values = (): ArgumentValues => {
  const { task, decided, rows, event, signal, dead_letter: entry, bulk } = things;
  const tasks = [[task], [decided], [rows]];
  const approvals = [
    [task, 'agree'],
    [decided, 'agree'],
  ];
  return {
    uuid: tasks,
    task: tasks,
    'task step': [[task, 'charge'], [task, 'ship'], [decided, 'pay'], [rows, 'work_a'], ...approvals],
    'approval show': approvals,
    'task list': [[], ['--status', 'blocked_by_failures']],
    'task watch': [[task, '--timeout', '1']],
    'step list': [['--step-state', 'error'], ...tasks],
    'worker list': [['--all']],
    'event list': [[], ['--name', 'card.*']],
    signal: [[signal]],
    name: [['nightly']],
    entry: [[entry]],
    event: [[event]],
    worker: [[worker]],
    template: [['test/secret@1.0.0']],
    stats: [[]],
    id: [[bulk]],
  };
};

async function outputs(env: Record<string, string>, ...more: string[]): Promise<Map<string, string>> {
  const printed = new Map<string, string>();
  const reads = await readingCommands(values());
  for (const command of [...reads, ['task', 'rerun', things.task, '--from', 'charge', '--dry-run']]) {
    for (const form of [[], ['--json']]) {
      const words = [...command, ...form, ...more];
      const { stdout, stderr } = await on.project.run(words, { env });
      printed.set(words.join(' '), `${stdout}${stderr}`);
    }
  }
  return printed;
}

const canariesIn = (text: string) => Object.values(CANARIES).filter((canary) => text.includes(canary));
const leaks = (printed: ReadonlyMap<string, string>) => [...printed].filter(([, text]) => canariesIn(text).length > 0);

it('a command prints sensitive values from a database only with --show-sensitive', async () => {
  const printed = await outputs({});
  expect(leaks(printed).map(([command, text]) => [command, canariesIn(text)])).toEqual([]);
  // A command that fails would show nothing. `task watch` may fail, because its task does not end.
  expect([...printed].filter(([command, text]) => /^error: /m.test(text) && !command.startsWith('task watch'))).toEqual(
    [],
  );
  const all = [...printed.values()].join('\n');
  for (const plain of ['plain-brand', 'plain-amount', 'plain-payload', 'plain-form', '[redacted]']) {
    expect.soft(all.includes(plain), plain).toBe(true);
  }
  const shown = [...(await outputs({}, '--show-sensitive')).values()].join('\n');
  expect(Object.values(CANARIES).filter((canary) => !shown.includes(canary))).toEqual([]);
}, 240_000);

it('a sensitive value can be searched for only with --show-sensitive', async () => {
  const context = ['--context', JSON.stringify({ card: { number: CANARIES.context } })];
  for (const words of [
    ['task', 'list'],
    ['task', 'summary'],
    ['step', 'list'],
    ['task', 'cancel', '--dry-run'],
    ['dlq', 'redrive', '--dry-run'],
  ]) {
    const refused = await on.project.run([...words, ...context]);
    expect([words, refused.code, refused.stderr]).toEqual([words, 1, expect.stringContaining('pass --show-sensitive')]);
    const allowed = await on.project.run([...words, ...context, '--show-sensitive']);
    expect([words, allowed.code]).toEqual([words, 0]);
  }
});

it('the output of an action contains no sensitive value', async () => {
  const result = ['--result', JSON.stringify({ token: CANARIES.result, plain: 1 })];
  const create = ['task', 'create', 'secret', '-i', JSON.stringify({ card: { number: CANARIES.context } })];
  for (const words of [['step', 'complete', things.task, 'charge', ...result], create, ['task', 'copy', things.task]]) {
    for (const form of [[], ['--json']]) {
      const { code, stdout, stderr } = await on.project.run([...words, ...form]);
      expect([words, code, canariesIn(stdout + stderr)]).toEqual([words, 0, []]);
    }
  }
});

it('event tail shows sensitive values only with --show-sensitive', async () => {
  for (const [more, shown] of [
    [[], '[redacted]'],
    [['--show-sensitive'], CANARIES.result],
  ] as const) {
    const tail = on.project.startHere(['event', 'tail', '--after', '1h', '--json', ...more]);
    await tail.until('plain-amount', 3);
    tail.interrupt();
    await tail.ended;
    expect([more, tail.output.includes('canary')]).toEqual([more, more.length > 0]);
    expect(tail.output).toContain(shown);
  }
});

it('a tool of an assistant returns sensitive values from a database only if they are enabled', async () => {
  const given = { task_uuid: things.task, step: 'charge', namespace: 'test', name: 'secret', version: '1.0.0' };
  const answers = async (showSensitive: boolean) => {
    const found = new Map<string, string>();
    await withBackend({ databaseUrl: on.database.url, showSensitive }, { mayWrite: false }, async ({ ask, place }) => {
      // The tools about the text of a template need its text, and no database.
      for (const { name, input, run } of READ_TOOLS.filter((tool) => !TEMPLATE_TOOLS.includes(tool))) {
        const known = { ...given, ...(name === 'schedule_inspect' && { name: 'nightly' }) };
        const own = Object.entries(known).filter(([key]) => key in input);
        const parsed = z.strictObject(input).parse(Object.fromEntries(own));
        found.set(name, JSON.stringify(await run(ask, parsed, { place, mayWrite: false })));
      }
    });
    return found;
  };
  const hidden = await answers(false);
  expect(leaks(hidden)).toEqual([]);
  expect(hidden.get('step_inspect')).toContain('[redacted]');
  const shown = await answers(true);
  expect(shown.get('task_inspect')).toContain(CANARIES.context);
  expect(shown.get('step_inspect')).toContain(CANARIES.result);
});

it('over a server, the credential alone decides whether sensitive values are shown', async () => {
  const over = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', TASKER_ORCHESTRATION_URL: url };
  const key = async (role: string) =>
    (await on.project.run(['auth', 'key', 'create', role, '--role', role, '--by', 'root'])).stdout.trim();
  const [admin, viewer] = [await key('admin'), await key('viewer')];
  const get = ['task', 'get', things.task, '--json'];
  // The server checks periodically for keys.
  await expect.poll(async () => (await on.project.run(get, { env: over })).code, { timeout: 30_000 }).toBe(1);
  for (const more of [[], ['--show-sensitive']]) {
    const whole = await on.project.run([...get, ...more], { env: { ...over, TASKER_API_KEY: admin } });
    expect([whole.code, canariesIn(whole.stdout)]).toEqual([
      0,
      expect.arrayContaining([CANARIES.context, CANARIES.result]),
    ]);
    const hidden = await on.project.run([...get, ...more], { env: { ...over, TASKER_API_KEY: viewer } });
    expect([hidden.code, canariesIn(hidden.stdout)]).toEqual([0, []]);
    expect(hidden.stdout).toContain('[redacted]');
  }
});
