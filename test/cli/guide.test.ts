import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { makeProgram } from '../../src/cli/program.ts';

const guide = readFileSync('docs/guide/cli.md', 'utf8');
const reference = readFileSync('docs/cli-commands.md', 'utf8');

function leaves(command: Command, path: string): { path: string; command: Command }[] {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((child) => leaves(child, `${path} ${child.name()}`));
}

const commands = leaves(await makeProgram(), 'tasker');

describe('the pages about the command line', () => {
  it.each(commands.map(({ path, command }) => [path, command] as const))(
    'documents %s and all its options',
    (path, command) => {
      expect(reference).toContain(path);
      // A hidden option only names the right one.
      for (const { long, hidden } of command.options) if (!hidden) expect(reference).toContain(long);
    },
  );

  it('documents the global options and every exit code', async () => {
    for (const option of (await makeProgram()).options) expect(guide).toContain(option.long);
    for (const code of Object.values(EXIT)) expect(guide).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'));
  });
});
