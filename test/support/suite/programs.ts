import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'vitest';

/** A program that some tests start and that npm does not install. */
interface OutsideProgram {
  /** The subject of its tests. */
  tests: string;
  /** Possible names of the program; the first that is found is used. */
  commands: readonly string[];
  /** The Debian package. */
  debian: string;
}

export const PROGRAMS = {
  pgbouncer: { tests: 'a transaction pooler', commands: ['pgbouncer'], debian: 'pgbouncer' },
  'rabbitmq-server': { tests: 'a message broker', commands: ['rabbitmq-server'], debian: 'rabbitmq-server' },
  chromium: { tests: 'a browser', commands: ['chromium', 'chromium-browser', 'google-chrome'], debian: 'chromium' },
  python3: { tests: 'Python', commands: ['python3'], debian: 'python3' },
  promtool: { tests: 'Prometheus rules', commands: ['promtool'], debian: 'promtool' },
  // Debian keeps the programs of its servers out of the PATH. This command lists them.
  pg_rewind: { tests: 'replication', commands: ['pg_lsclusters'], debian: 'postgresql' },
} as const satisfies Record<string, OutsideProgram>;

export type ProgramName = keyof typeof PROGRAMS;

export const PROGRAM_NAMES = Object.keys(PROGRAMS) as ProgramName[];

declare module 'vitest' {
  interface TaskMeta {
    /** The program that a test needs. */
    needs?: ProgramName;
  }
}

/** Returns the path of a program, or undefined if it is not installed. */
export function programPath(name: ProgramName, PATH = process.env['PATH'] ?? ''): string | undefined {
  const file = found(PROGRAMS[name].commands, foldersOf(PATH));
  if (file !== undefined && name === 'pg_rewind') return debianServer();
  return file !== undefined && name === 'rabbitmq-server' ? debianBroker() : file;
}

/** Returns how to install programs. */
export function howToInstall(names: readonly ProgramName[]): string {
  return `on Debian: apt-get install --no-install-recommends ${names.map((name) => PROGRAMS[name].debian).join(' ')}`;
}

/**
 * Declares a suite whose tests start an external program. Without the program, the tests are skipped, and the last line of
 * the run names the program (`not-tested.ts`). With `TASKER_REQUIRE_ALL=1`, a test fails instead.
 */
export function describeWith(name: ProgramName, title: string, tests: () => void): void {
  const missing = programPath(name) === undefined;
  describe(title, { skip: missing, meta: { needs: name } }, tests);
  if (missing && process.env['TASKER_REQUIRE_ALL'] === '1') {
    it(`${title}: ${name} is installed`, () => {
      throw new Error(`TASKER_REQUIRE_ALL=1, and ${name} is not installed; ${howToInstall([name])}`);
    });
  }
}

/**
 * Adds the `sbin` beside each `bin`, because Debian installs servers there and only root has it in its PATH.
 */
function foldersOf(PATH: string): string[] {
  return PATH.split(path.delimiter)
    .filter((folder) => folder !== '')
    .flatMap((folder) => (path.basename(folder) === 'bin' ? [folder, path.join(folder, '../sbin')] : [folder]));
}

function found(commands: readonly string[], folders: readonly string[]): string | undefined {
  return commands.flatMap((command) => folders.map((folder) => path.join(folder, command))).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false; // missing, or not executable
  }
}

/** Returns the path of the server itself. The command on the PATH is a script that starts it as a service with its own user. */
function debianBroker(): string | undefined {
  const folder = '/usr/lib/rabbitmq/lib';
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .map((version) => path.join(folder, version, 'sbin/rabbitmq-server'))
    .find((file) => existsSync(file));
}

/** Returns the path of `pg_rewind` of the newest server. */
function debianServer(): string | undefined {
  const folder = '/usr/lib/postgresql';
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .sort((one, other) => Number(other) - Number(one))
    .map((version) => path.join(folder, version, 'bin/pg_rewind'))
    .find((file) => existsSync(file) && existsSync(path.join(path.dirname(file), 'postgres')));
}
