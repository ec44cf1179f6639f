import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '../support/embedded/embedded-users.ts';

/** A command that a page shows, with its documented output. */
interface ShownCommand {
  command: string;
  output: string;
}

/** Returns the files that a page shows: each code block after a line that contains only a file name. */
export function filesOn(page: string): Map<string, string> {
  const blocks = readFileSync(page, 'utf8').matchAll(/^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$/gms);
  return new Map([...blocks].map(([, name, text]) => [name!, text!]));
}

/** Returns the commands that a page shows with their output. */
export function commandsOn(page: string): ShownCommand[] {
  const blocks = readFileSync(page, 'utf8').matchAll(/^```console\n\$ (.*?)\n(.*?)^```$/gms);
  return [...blocks].map(([, command, output]) => ({ command: command!, output: output! }));
}

/** Creates a project with the files of a page. The package is linked into node_modules, as npm does for a folder. */
export function projectOf(page: string): string {
  const folder = temporaryFolder({ name: 'tasker-page-' });
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(path.resolve('.'), path.join(folder, 'node_modules/tasker-core'));
  mkdirSync(path.join(folder, 'node_modules/.bin'));
  for (const name of ['zod', 'typescript', '@types', 'vitest', '.bin/tsc']) {
    symlinkSync(path.resolve('node_modules', name), path.join(folder, 'node_modules', name));
  }
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  for (const [name, text] of filesOn(page)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return folder;
}
