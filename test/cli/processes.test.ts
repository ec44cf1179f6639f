import { expect, it } from 'vitest';
import { makeProgram } from '../../src/cli/program.ts';
import { PAIR, projectOnDatabase } from './installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR });

/** A command of each noun. `TASK` is the id of a task. */
const COMMANDS: Readonly<Record<string, { args: string; code: number }>> = {
  init: { args: '', code: 2 },
  task: { args: 'get TASK --json', code: 0 },
  step: { args: 'get TASK first --json', code: 0 },
  timer: { args: 'fire TASK first', code: 1 },
  queue: { args: 'empty', code: 2 },
  signal: { args: 'list TASK --json', code: 0 },
  approval: { args: 'list --json', code: 0 },
  dlq: { args: 'list --json', code: 0 },
  stats: { args: '--since soon', code: 2 },
  schedule: { args: 'list --json', code: 0 },
  event: { args: 'list --json', code: 0 },
  bulk: { args: 'list --json', code: 0 },
  audit: { args: 'list --json', code: 0 },
  auth: { args: 'key list --json', code: 0 },
  template: { args: 'list --json', code: 0 },
  namespace: { args: 'list --json', code: 0 },
  pause: { args: 'list --json', code: 0 },
  generate: { args: 'types', code: 0 },
  db: { args: 'migrate', code: 0 },
  archive: { args: 'show /missing.ndjson', code: 2 },
  config: { args: 'show --json', code: 0 },
  profile: { args: 'list --json', code: 0 },
  completion: { args: 'bash', code: 0 },
  worker: { args: 'list --json', code: 0 },
  help: { args: '', code: 0 },
};
/** Nouns that have tests of their own with processes: they run until a signal, or load handlers. */
const TESTED_ELSEWHERE = ['dev', 'doctor', 'mcp', 'server', 'status'];

// The other tests run commands from the sources. This one proves the exit codes and the output of the built program.
it('each noun has the same output and exit code in a process of its own as in the process of the tests', async () => {
  const program = await makeProgram();
  expect([...Object.keys(COMMANDS), ...TESTED_ELSEWHERE].sort()).toEqual(
    [...program.commands.map((command) => command.name()), 'help'].sort(),
  );
  const task = await on.project.create('pair');
  for (const [noun, { args, code }] of Object.entries(COMMANDS)) {
    const words = [noun, ...args.replace('TASK', task).split(' ').filter(Boolean)];
    const here = await on.project.startHere(words).ended;
    const inProcess = await on.project.start(words).ended;
    expect.soft(inProcess, words.join(' ')).toEqual(here);
    expect.soft(inProcess, words.join(' ')).toMatchObject({ code, signal: null });
  }
});
