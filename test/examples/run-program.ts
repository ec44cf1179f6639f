import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { onTestFinished } from 'vitest';

/** Options for running a program. */
interface RunOptions {
  args?: string[];
  cwd?: string;
  env?: Record<string, string>;
}

/** The outcome of a program. */
interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A running program. */
interface Running {
  /** Resolves with the output so far when it contains the text. Rejects if the program ends without it. */
  waitForOutput(text: string): Promise<string>;
  /** Its standard input. */
  input: Writable;
  /** Sends a signal to the process, or with `group` to its process group. */
  kill(signal: NodeJS.Signals, options?: { group: boolean }): void;
  ended: Promise<Ended>;
}

/** Starts a script with Node as a user would, without the database settings of the test's own environment. */
export function startProgram(script: string, { args = [], cwd, env = {} }: RunOptions = {}): Running {
  const { DATABASE_URL: _, TASKER_ENV: __, ...own } = process.env;
  // The process has its own group, so that a test can kill all processes of the program.
  const child = spawn(process.execPath, [script, ...args], { cwd, env: { ...own, ...env }, detached: true });
  onTestFinished(() => void child.kill('SIGKILL'));

  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout,
    stderr,
  }));
  return {
    ended,
    input: child.stdin,
    async waitForOutput(text) {
      while (!stdout.includes(text)) {
        const more = await Promise.race([once(child.stdout, 'data'), ended.then(() => null)]);
        if (!more && !stdout.includes(text))
          throw new Error(`the program ended without printing "${text}":\n${stdout}${stderr}`);
      }
      return stdout;
    },
    kill(signal, { group } = { group: false }) {
      process.kill(group ? -child.pid! : child.pid!, signal);
    },
  };
}

/** Runs a script until it exits. */
export function runProgram(script: string, options?: RunOptions): Promise<Ended> {
  return startProgram(script, options).ended;
}
