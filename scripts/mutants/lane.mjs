// A lane is a copy of the checkout with its own PostgreSQL server. It tries one mutant after another.
import { fork } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import ts from 'typescript';
import { bundle } from '../bundle.mjs';

/** Maximum time without an event between tests, for imports and hooks. */
const IDLE_MS = 120_000;
const KEPT_DATABASES = ['postgres', 'template0', 'template1', 'tasker', 'tasker_template', 'tasker_check'];

/**
 * Compiles a source without type checks, so that a mutant with a type error still runs. Returns undefined for a syntax
 * error.
 */
export function javascriptOf(text) {
  const { module, target } = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const compilerOptions = { module, target, verbatimModuleSyntax: true, rewriteRelativeImportExtensions: true };
  const { outputText, diagnostics } = ts.transpileModule(text, { compilerOptions, reportDiagnostics: true });
  return diagnostics.some(({ category }) => category === ts.DiagnosticCategory.Error) ? undefined : outputText;
}

export class Lane {
  /** Absolute path of the checkout. */
  root;
  #folder;
  #server;
  #admin;
  #marker;
  #bundled = false;

  /** Copies `files` and the build, links node_modules, and starts a server. */
  static async make({ from, files, folder, startServer }) {
    const lane = new Lane();
    lane.root = path.join(folder, 'checkout');
    lane.#folder = path.join(lane.root, '.mutants');
    lane.#marker = `lane-${process.pid}-${path.basename(folder)}`;
    for (const file of files) {
      mkdirSync(path.dirname(path.join(lane.root, file)), { recursive: true });
      cpSync(path.join(from, file), path.join(lane.root, file));
    }
    cpSync(path.join(from, 'dist'), path.join(lane.root, 'dist'), { recursive: true });
    symlinkSync(path.join(from, 'node_modules'), path.join(lane.root, 'node_modules'));
    for (const name of ['hits', 'data']) mkdirSync(path.join(lane.#folder, name), { recursive: true, mode: 0o755 });
    // Keeps tests from rebuilding a stale build: the compiler would reject mutants with type errors.
    const never = new Date(Date.now() + 365 * 86_400_000);
    utimesSync(path.join(lane.root, 'dist/.tsbuildinfo'), never, never);
    lane.#server = await startServer(path.join(folder, 'server'));
    lane.#admin = new pg.Client({ connectionString: lane.#server.url });
    lane.#admin.on('error', () => {});
    await lane.#admin.connect();
    return lane;
  }

  get hits() {
    return path.join(this.#folder, 'hits');
  }

  /** A migrated database for checking statements. */
  get checkUrl() {
    const url = new URL(this.#server.url);
    url.pathname = '/tasker_check';
    return url.toString();
  }

  /** Writes a source file and its compiled form, if it has one. The next run bundles it for other processes. */
  write(file, text, built = file.endsWith('.ts') ? javascriptOf(text) : undefined) {
    writeFileSync(path.join(this.root, file), text);
    if (built === undefined) return;
    writeFileSync(path.join(this.root, file.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js')), built);
    this.#bundled = false;
  }

  /**
   * Runs tests, given as `[file, names]` (no names: the whole file). `limitOf(file, name)` is the maximum time of a test
   * in milliseconds. With `bail`, stops at the first failure.
   */
  async run({ tests, limitOf, bail = false, isolate = false, count = false }) {
    if (!this.#bundled) bundle(this.root);
    this.#bundled = true;
    const plan = path.join(this.#folder, 'plan.json');
    writeFileSync(
      plan,
      JSON.stringify({
        root: this.root,
        folder: this.#folder,
        hits: this.hits,
        data: path.join(this.#folder, 'data'),
        files: tests.map(([file]) => file),
        only: Object.fromEntries(tests.filter(([, names]) => names)),
        server: this.#server.url,
        isolate,
        count,
      }),
    );
    try {
      return await this.#watch(plan, { limitOf, bail });
    } finally {
      await this.#tidy();
    }
  }

  #watch(plan, { limitOf, bail }) {
    const { promise, resolve } = withResolvers();
    // The long proofs set PROVE, which makes tests run at full size.
    const { PROVE: _, ...withoutProve } = process.env;
    const vitest = path.join(this.root, 'node_modules/vitest/vitest.mjs');
    const child = fork(vitest, ['run', '--config', 'scripts/mutants/vitest.config.mjs'], {
      cwd: this.root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...withoutProve, MUTANTS_PLAN: plan, MUTANTS_LANE: this.#marker, NO_COLOR: '1' },
      execArgv: [],
    });
    const results = [];
    let output = '';
    const listen = (chunk) => {
      output = (output + chunk).slice(-4_000);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    let timer;
    let ended = false;
    let failure;
    const finish = (why) => {
      failure ??= why;
      clearTimeout(timer);
      kill(-child.pid);
    };
    let running;
    const expect = (ms) => {
      clearTimeout(timer);
      timer = setTimeout(
        () => finish({ kind: 'timeout', ...running, message: `still running after ${Math.round(ms / 1000)} s` }),
        ms,
      );
    };
    expect(IDLE_MS);
    child.on('message', (message) => {
      const { type, file, name } = message;
      if (type === 'ready') {
        running = { file, name };
        expect(limitOf(file, name));
        return;
      }
      expect(IDLE_MS);
      if (type === 'result') {
        running = { file };
        results.push(message);
        if (message.state === 'failed' && bail) finish({ kind: 'failed', file, name, message: message.message });
      }
      if (type === 'file' && message.message) {
        const why = { kind: 'failed', file, message: message.message };
        if (bail) finish(why);
        else results.push({ type: 'result', state: 'failed', ...why });
      }
      if (type === 'end') {
        ended = true;
        if (message.message)
          failure ??= { kind: 'failed', file: message.from ?? running?.file, message: message.message };
        finish(failure);
      }
    });
    // Not `close`, because a process that a test left behind may keep the pipes open.
    child.on('exit', () => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      if (!ended) failure ??= { kind: 'failed', ...running, message: `vitest ended early: ${output.slice(-500)}` };
      resolve({ results, failure });
    });
    return promise;
  }

  /** Removes what tests left behind: processes, databases and data folders. */
  async #tidy() {
    for (const pid of markedProcesses(`MUTANTS_LANE=${this.#marker}`)) kill(pid);
    const { rows } = await this.#admin.query('select datname from pg_database where datname <> all ($1)', [
      KEPT_DATABASES,
    ]);
    for (const { datname } of rows)
      await this.#admin
        .query(`drop database if exists ${pg.escapeIdentifier(datname)} with (force)`)
        .catch(() => undefined);
    const data = path.join(this.#folder, 'data');
    for (const name of readdirSync(data)) rmSync(path.join(data, name), { recursive: true, force: true });
  }

  async close() {
    await this.#admin.end().catch(() => undefined);
    await this.#server.stop();
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Processes that have a variable in their environment. Empty on systems without /proc. */
function markedProcesses(variable) {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(variable);
      } catch {
        return false;
      }
    })
    .map(Number);
}
