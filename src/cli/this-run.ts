import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import path from 'node:path';
import { ownSurroundings, type Surroundings } from '../config/surroundings.ts';

/** Standard input. Only a terminal has `isTTY`. */
export type Input = NodeJS.ReadableStream & { isTTY?: boolean };
/** Standard output or standard error. Only a terminal has `isTTY` and a size. */
export type Output = NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };

/** The streams, the environment and the folder of a run of the command line. */
export interface RunIo extends Surroundings {
  stdin: Input;
  stdout: Output;
  stderr: Output;
  /** Stops the command like Ctrl-C when it aborts. Without it, SIGINT and SIGTERM of the process stop the command. */
  signal: AbortSignal;
}

/** A run of the command line. Uses the process for every part that is missing in `io`. */
class Run {
  exitCode = 0;
  readonly #io: Partial<RunIo>;

  constructor(io: Partial<RunIo> = {}) {
    this.#io = io;
  }

  get stdin(): Input {
    return this.#io.stdin ?? process.stdin;
  }

  get stdout(): Output {
    return this.#io.stdout ?? process.stdout;
  }

  get stderr(): Output {
    return this.#io.stderr ?? process.stderr;
  }

  get env(): NodeJS.ProcessEnv {
    return this.#io.env ?? ownSurroundings().env;
  }

  get cwd(): string {
    return this.#io.cwd ?? ownSurroundings().cwd;
  }

  /** See {@link inFolder}. */
  pathOf(file: string): string {
    return this.#io.cwd === undefined ? file : path.resolve(this.#io.cwd, file);
  }

  /** Whether the process exists for this run, so that the run may end it. */
  get ownsProcess(): boolean {
    return this.#io.stdout === undefined;
  }

  /**
   * Calls `heard` at each request to stop. Returns a function that stops listening. With `once`, a second signal ends the
   * process, as it does without a listener.
   */
  onStop(heard: (name: NodeJS.Signals, number: number) => void, { once = false } = {}): () => void {
    // Node calls signal handlers outside of the run.
    const inThisRun = AsyncResource.bind(heard);
    const { signal } = this.#io;
    if (signal) {
      const aborted = () => inThisRun('SIGINT', 2);
      if (signal.aborted) aborted();
      else signal.addEventListener('abort', aborted, { once: true });
      return () => signal.removeEventListener('abort', aborted);
    }
    const names = ['SIGINT', 'SIGTERM'] as const;
    for (const name of names) {
      if (once) process.once(name, inThisRun);
      else process.on(name, inThisRun);
    }
    return () => {
      for (const name of names) process.off(name, inThisRun);
    };
  }
}

const runs = new AsyncLocalStorage<Run>();
const ofProcess = new Run();

/** Calls `use` in a run with `io`, by default in the run of the process. Within `use`, {@link thisRun} returns this run. */
export function inRun<T>(io: Partial<RunIo> | undefined, use: (run: Run) => Promise<T>): Promise<T> {
  // `--config` changes the environment of the run.
  const run = io === undefined ? ofProcess : new Run(io.env ? { ...io, env: { ...io.env } } : io);
  return runs.run(run, () => use(run));
}

/** Returns the run that the caller belongs to. Outside of all runs, returns the run of the process. */
export function thisRun(): Run {
  return runs.getStore() ?? ofProcess;
}

/** Returns the environment and the folder of this run, for functions of the library, which never read {@link thisRun}. */
export function here(): Surroundings {
  const { env, cwd } = thisRun();
  return { env, cwd };
}

/**
 * Returns the path to use for opening a file that the user named. A run in the folder of the process keeps the path as the
 * user wrote it, because system errors contain it.
 */
export function inFolder(file: string): string {
  return thisRun().pathOf(file);
}
