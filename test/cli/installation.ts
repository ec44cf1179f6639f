import { type ChildProcess, fork, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, inject } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { copyTree } from '../support/suite/copy-tree.ts';

const PACKED = ['assets', 'bin', 'dist', 'migrations', 'schemas', 'statements', 'package.json'];

/** The outcome of a command. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Options for running a command. */
export interface RunOptions {
  env?: Record<string, string>;
  input?: string;
  /** The command ends early, for example because it is rejected, so it may share a process like the short commands. */
  shared?: boolean;
}

/** A running command. */
export class Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  readonly #waiting = new Set<() => void>();

  constructor(process: ChildProcess) {
    this.process = process;
    process.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#check();
    });
    process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#check();
    });
    this.ended = new Promise((resolve, reject) => {
      process.once('error', reject);
      process.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
        this.#check();
      });
    });
  }

  /** Returns all output so far. */
  get output(): string {
    return this.#stdout + this.#stderr;
  }

  /** Resolves when the output contains the text `times` times. */
  until(text: string, times = 1): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.output.split(text).length > times) resolve();
        else if (this.process.exitCode === null && this.process.signalCode === null) return;
        else reject(new Error(`the command ended without printing "${text}":\n${this.output}`));
        this.#waiting.delete(check);
      };
      this.#waiting.add(check);
      check();
    });
  }

  #check(): void {
    for (const check of this.#waiting) check();
  }
}

/**
 * Commands that only send requests to a server and then end, by their first words. Other commands always run in
 * separate processes, unless they need no database.
 */
const SHORT_COMMANDS = new Set([
  ...'archive audit auth bulk completion dlq event namespace pause profile queue schedule signal approval timer stats status step task'.split(
    ' ',
  ),
  ...['template list', 'template show', 'template graph', 'template pause', 'template resume'],
  ...['db prune', 'db compact', 'db status', 'db migrate', 'worker list', 'worker drain', 'worker resume'],
]);
/** Commands that only read and write files. */
const WITHOUT_DATABASE = new Set(['config', 'init', 'help', '--version']);
/** Options with which a command runs until it is stopped, reads its input, or loads handlers. */
const LONG = new Set(['--watch', '--follow', '-f', 'follow', '-', '--ids', '--verbose', '--handlers']);

function isShort(args: readonly string[], env: Readonly<Record<string, string | undefined>>): boolean {
  if (args.some((arg) => LONG.has(arg))) return false;
  if (WITHOUT_DATABASE.has(args[0]!)) return true;
  const known = SHORT_COMMANDS.has(args[0]!) || SHORT_COMMANDS.has(args.slice(0, 2).join(' '));
  const onServer = env.DATABASE_URL !== undefined || args.includes('--database-url');
  return known && onServer;
}

/** Runs short commands in one process; see command-host.mjs. */
class CommandHost {
  readonly #main: string;
  #child: ChildProcess | undefined;
  #ready: Promise<unknown> | undefined;
  #id = 0;

  constructor(main: string) {
    this.#main = main;
  }

  /** Runs a command. Commands wait for each other. */
  async run(args: readonly string[], cwd: string, env: Record<string, string | undefined>): Promise<Ended> {
    this.#child ??= fork(path.resolve(import.meta.dirname, 'command-host.mjs'), [this.#main], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const child = this.#child;
    this.#ready ??= new Promise((resolve) => child.once('message', resolve));
    await this.#ready;
    const id = this.#id++;
    return new Promise((resolve, reject) => {
      const answered = (message: { id: number } & Omit<Ended, 'signal'>) => {
        if (message.id !== id) return;
        child.off('message', answered).off('exit', ended);
        resolve({ code: message.code, signal: null, stdout: message.stdout, stderr: message.stderr });
      };
      const ended = (code: number | null) => {
        reject(new Error(`the host of commands ended with ${code} during tasker ${args.join(' ')}`));
      };
      child.on('message', answered).once('exit', ended);
      child.send({ id, args, cwd, env });
    });
  }

  end(): void {
    this.#child?.disconnect();
    this.#child = undefined;
  }
}

/** A project folder, with the package installed above it as npm would. */
export class Project {
  readonly folder: string;
  readonly #env: Record<string, string>;
  readonly #running = new Set<Running>();
  readonly #host: CommandHost;

  constructor(folder: string, env: Record<string, string>, host: CommandHost) {
    this.folder = folder;
    this.#env = env;
    this.#host = host;
  }

  async write(file: string, text: string): Promise<void> {
    const place = path.join(this.folder, file);
    await mkdir(path.dirname(place), { recursive: true });
    await writeFile(place, text);
  }

  /** Starts `tasker …`. */
  start(args: readonly string[], options?: RunOptions): Running {
    return this.node([path.resolve(this.folder, '../node_modules/.bin/tasker'), ...args], options);
  }

  /** Starts Node in the project. */
  node(args: readonly string[], { env = {}, input }: RunOptions = {}): Running {
    const child = spawn(process.execPath, args, { cwd: this.folder, env: this.#environment(env) });
    child.stdin.end(input ?? '');
    const running = new Running(child);
    this.#running.add(running);
    return running;
  }

  #environment(env: Record<string, string> = {}): Record<string, string | undefined> {
    const own = { PATH: process.env.PATH, HOME: this.folder, TASKER_WEB_BIND_ADDRESS: '127.0.0.1:0' };
    return { ...own, ...this.#env, ...env };
  }

  /** Runs `tasker …` until it exits. Short commands share a process. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const env = this.#environment(options.env);
    if (options.input !== undefined || !(options.shared || isShort(args, env))) return this.start(args, options).ended;
    return this.#host.run(args, this.folder, env);
  }

  /** Runs a command that must succeed, and reads the JSON that it prints. */
  async json<T>(args: readonly string[], options?: RunOptions): Promise<T> {
    const { code, stdout, stderr } = await this.run([...args, '--json'], options);
    if (code !== 0) throw new Error(`tasker ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** Creates a task, which must succeed, and returns its id. */
  async create(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(['task', 'create', ...args]);
    if (code !== 0) throw new Error(`task create ended with ${code}: ${stderr}`);
    return stdout.trim();
  }

  /** Kills the commands that are still running. */
  async end(): Promise<void> {
    for (const { process } of this.#running) process.kill('SIGKILL');
    await Promise.all([...this.#running].map(({ ended }) => ended));
  }
}

/**
 * Returns a folder `node_modules` with the packed files of this package, outside the repository. The tests of a process share
 * it, because copying it takes longer than most commands.
 */
function installedModules(): string {
  const modules = path.join(inject('data'), `installed-${process.pid}`, 'node_modules');
  if (existsSync(modules)) return modules;
  const making = path.join(path.dirname(modules), 'making');
  for (const folder of ['.bin', 'tasker-core']) mkdirSync(path.join(making, folder), { recursive: true });
  chmodSync(path.dirname(modules), 0o755);
  for (const part of PACKED) copyTree(part, path.join(making, 'tasker-core', part));
  for (const name of readdirSync('node_modules')) {
    if (name.startsWith('.') || name.startsWith('tasker-core')) continue;
    symlinkSync(path.resolve('node_modules', name), path.join(making, name));
  }
  symlinkSync('../tasker-core/bin/tasker.js', path.join(making, '.bin', 'tasker'));
  renameSync(making, modules);
  return modules;
}

/** Installs the package as users do: only the packed files, outside the repository. */
export async function installation(): Promise<{
  project(name: string, env?: Record<string, string>): Promise<Project>;
  remove(): Promise<void>;
}> {
  const root = await mkdtemp(path.join(tmpdir(), 'tasker-cli-'));
  await chmod(root, 0o755);
  const modules = installedModules();
  await symlink(modules, path.join(root, 'node_modules'));
  const projects: Project[] = [];
  const host = new CommandHost(path.join(modules, 'tasker-core', 'dist', 'bundle', 'cli.js'));
  return {
    project: async (name, env = {}) => {
      const folder = path.join(root, name);
      await mkdir(folder);
      const project = new Project(folder, env, host);
      projects.push(project);
      return project;
    },
    remove: async () => {
      for (const project of projects) await project.end();
      host.end();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** A project, its installation, and the database that it uses. */
export interface ProjectOnDatabase {
  readonly place: Awaited<ReturnType<typeof installation>>;
  readonly project: Project;
  readonly database: Awaited<ReturnType<typeof freshDatabase>>;
}

/**
 * Creates an installation, a database, and a project with these files for the tests of a file. Call it where tests are
 * declared.
 */
export function projectOnDatabase(files: Readonly<Record<string, string>> = {}): ProjectOnDatabase {
  let place: ProjectOnDatabase['place'];
  let database: ProjectOnDatabase['database'];
  let project: Project;
  beforeAll(async () => {
    [place, database] = await Promise.all([installation(), freshDatabase()]);
    project = await place.project('shop', { DATABASE_URL: database.url });
    for (const [name, text] of Object.entries(files)) await project.write(name, text);
  });
  afterAll(async () => {
    await place?.remove();
    await database?.drop();
  });
  return {
    get place() {
      return place;
    },
    get project() {
      return project;
    },
    get database() {
      return database;
    },
  };
}

/** A template of two steps. The second fails permanently unless the input is `{"lucky": true}`. */
export const PAIR = `name: pair
namespace: demo
version: "1.0.0"
identity_strategy: always_unique
input_schema: { type: object, properties: { lucky: { type: boolean } } }
steps:
  - { name: first, handler: first }
  - { name: second, handler: second, dependencies: [first] }
`;

export const PAIR_HANDLERS = `import { defineHandler, PermanentError } from 'tasker-core';
export const first = defineHandler('first', {}, async () => ({ made: 1 }));
export const second = defineHandler('second', { inputs: { lucky: 'lucky' } }, async ({ lucky, logger }) => {
  if (!lucky) logger.warn({ lucky: Boolean(lucky) }, 'no luck');
  if (!lucky) throw new PermanentError('no luck today');
  return { made: 2 };
});
`;
