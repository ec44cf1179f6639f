import type { ChildProcess } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { main } from '../../src/cli/main.ts';
import type { RunIo } from '../../src/cli/this-run.ts';

/** The outcome of a command. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

type Write = (text: string) => void;

/** A running command. */
export class Running {
  readonly ended: Promise<Ended>;
  readonly #output = { stdout: '', stderr: '' };
  readonly #waiting = new Set<() => void>();
  #isOver = false;

  /** `start` starts the command, and resolves when it has ended. */
  constructor(start: (to: { stdout: Write; stderr: Write }) => Promise<Pick<Ended, 'code' | 'signal'>>) {
    const to = (name: 'stdout' | 'stderr') => (text: string) => {
      this.#output[name] += text;
      this.#check();
    };
    const over = start({ stdout: to('stdout'), stderr: to('stderr') }).finally(() => {
      this.#isOver = true;
      this.#check();
    });
    this.ended = over.then((end) => ({ ...end, ...this.#output }));
  }

  /** Returns all output so far. */
  get output(): string {
    return this.#output.stdout + this.#output.stderr;
  }

  /** Resolves when the output contains the text `times` times. */
  until(text: string, times = 1): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.output.split(text).length > times) resolve();
        else if (!this.#isOver) return;
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

/** A command that runs in a process of its own. */
export class RunningProcess extends Running {
  readonly process: ChildProcess;

  constructor(process: ChildProcess) {
    super(
      (to) =>
        new Promise((resolve, reject) => {
          process.stdout!.setEncoding('utf8').on('data', to.stdout);
          process.stderr!.setEncoding('utf8').on('data', to.stderr);
          process.once('error', reject);
          process.once('close', (code, signal) => resolve({ code, signal }));
        }),
    );
    this.process = process;
  }
}

/** The terminal or pipes of a command in this process, and its input. */
export interface HereOptions extends Pick<RunIo, 'env' | 'cwd'> {
  input?: string | Readable;
  /** Whether standard output, standard error and standard input are a terminal of 80 columns. */
  isTerminal?: boolean;
}

/** A command that runs in this process, from the sources. */
export class RunningHere extends Running {
  readonly #stop: AbortController;

  constructor(args: readonly string[], { env, cwd, input = '', isTerminal = false }: HereOptions) {
    const stop = new AbortController();
    const terminal = isTerminal ? { isTTY: true, columns: 80, rows: 24 } : {};
    super(async (to) => {
      const output = (write: Write) =>
        new Writable({
          decodeStrings: false,
          write: (text: string, _encoding, done) => {
            write(text);
            done();
          },
        });
      const stdin = typeof input === 'string' ? Readable.from(input === '' ? [] : [input]) : input;
      const code = await main([process.execPath, 'tasker', ...args], {
        stdin: Object.assign(stdin, terminal),
        stdout: Object.assign(output(to.stdout), terminal),
        stderr: Object.assign(output(to.stderr), terminal),
        env,
        cwd,
        signal: stop.signal,
      });
      return { code, signal: null };
    });
    this.#stop = stop;
  }

  /** Stops the command like Ctrl-C. */
  interrupt(): void {
    this.#stop.abort();
  }
}
