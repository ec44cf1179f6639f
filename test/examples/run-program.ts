import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { onTestFinished } from 'vitest';

/** How a program is run. */
interface RunOptions {
  args?: string[];
  cwd?: string;
  env?: Record<string, string>;
}

/** What a program came to. */
interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A program that runs. */
interface Running {
  /** Resolves with its output so far when that holds the text; rejects when it ends without. */
  said(text: string): Promise<string>;
  /** Its standard input. */
  input: Writable;
  /** Sends a signal to the process, or with `group` to all of its process group. */
  kill(signal: NodeJS.Signals, options?: { group: boolean }): void;
  ended: Promise<Ended>;
}

/** Starts a script with Node as a user would, without what the test's own environment says of databases. */
export function startProgram(script: string, { args = [], cwd, env = {} }: RunOptions = {}): Running {
  const { DATABASE_URL: _, TASKER_ENV: __, ...own } = process.env;
  // A group of its own, so that a test can kill all of it.
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
    async said(text) {
      while (!stdout.includes(text)) {
        const more = await Promise.race([once(child.stdout, 'data'), ended.then(() => null)]);
        if (!more && !stdout.includes(text)) throw new Error(`it ended without saying "${text}":\n${stdout}${stderr}`);
      }
      return stdout;
    },
    kill(signal, { group } = { group: false }) {
      process.kill(group ? -child.pid! : child.pid!, signal);
    },
  };
}

/** Runs a script to its end. */
export function runProgram(script: string, options?: RunOptions): Promise<Ended> {
  return startProgram(script, options).ended;
}
