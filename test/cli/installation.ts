import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, inject } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { copyTree } from '../support/suite/copy-tree.ts';
import { type Ended, RunningHere, RunningProcess } from './running.ts';

const PACKED = ['assets', 'bin', 'dist', 'migrations', 'schemas', 'statements', 'package.json'];

/** Options for running a command. */
export interface RunOptions {
  env?: Record<string, string>;
  input?: string;
  /** A folder of the project, in which the command runs. */
  folder?: string;
  /** The command ends before it opens a database, for example because it is rejected, so it runs in this process. */
  endsEarly?: boolean;
}

/** Commands that only read and write files. */
const WITHOUT_DATABASE = new Set('config init help --version generate completion profile'.split(' '));
/** Commands that run handlers, log to the file descriptor of standard error, or run a server. */
const OWN_PROCESS = new Set(['dev', 'worker', 'server', 'mcp', 'db start', 'db stop', 'db psql']);
const OF_WORKERS = new Set(['list', 'show', 'drain', 'resume']);

/** Returns whether a command can run in the process of the test. */
function canRunHere(args: readonly string[], env: Readonly<Record<string, string | undefined>>): boolean {
  const [noun = '', verb = ''] = args;
  if (WITHOUT_DATABASE.has(noun) || args.includes('--help')) return true;
  const own = OWN_PROCESS.has(`${noun} ${verb}`) || (OWN_PROCESS.has(noun) && !OF_WORKERS.has(verb));
  // A command without a server may start the embedded one, which must not outlive its process.
  return !own && (env.DATABASE_URL !== undefined || args.includes('--database-url'));
}

/** A project folder, with the package installed above it as npm would. */
export class Project {
  readonly folder: string;
  readonly #env: Record<string, string>;
  readonly #running = new Set<RunningProcess>();
  readonly #here = new Set<RunningHere>();

  constructor(folder: string, env: Record<string, string>) {
    this.folder = folder;
    this.#env = env;
  }

  async write(file: string, text: string): Promise<void> {
    const place = path.join(this.folder, file);
    await mkdir(path.dirname(place), { recursive: true });
    await writeFile(place, text);
  }

  /** Starts the installed `tasker …` in a process. */
  start(args: readonly string[], options?: RunOptions): RunningProcess {
    return this.node([path.resolve(this.folder, '../node_modules/.bin/tasker'), ...args], options);
  }

  /** Starts Node in the project. */
  node(args: readonly string[], { env = {}, input, folder = '' }: RunOptions = {}): RunningProcess {
    const child = spawn(process.execPath, args, { cwd: path.join(this.folder, folder), env: this.#environment(env) });
    child.stdin.end(input ?? '');
    const running = new RunningProcess(child);
    this.#running.add(running);
    return running;
  }

  #environment(env: Record<string, string> = {}): Record<string, string | undefined> {
    const own = { PATH: process.env.PATH, HOME: this.folder, TASKER_WEB_BIND_ADDRESS: '127.0.0.1:0' };
    return { ...own, ...this.#env, ...env };
  }

  /** Starts `tasker …` in this process. */
  startHere(args: readonly string[], { env, input, folder = '' }: RunOptions = {}): RunningHere {
    const cwd = path.join(this.folder, folder);
    const running = new RunningHere(args, { env: this.#environment(env), cwd, ...(input && { input }) });
    this.#here.add(running);
    return running;
  }

  /** Runs `tasker …` until it ends: in this process, unless the command needs its own. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const here = options.endsEarly || canRunHere(args, this.#environment(options.env));
    return (here ? this.startHere(args, options) : this.start(args, options)).ended;
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

  /** Ends the commands that are still running. */
  async end(): Promise<void> {
    for (const { process } of this.#running) process.kill('SIGKILL');
    for (const running of this.#here) running.interrupt();
    await Promise.allSettled([...this.#running, ...this.#here].map(({ ended }) => ended));
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
  return {
    project: async (name, env = {}) => {
      const folder = path.join(root, name);
      await mkdir(folder);
      const project = new Project(folder, env);
      projects.push(project);
      return project;
    },
    remove: async () => {
      for (const project of projects) await project.end();
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
