import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../../errors.ts';
import type { EmbeddedFolder } from '../embedded-folder.ts';
import { findRunning, type Postmaster } from '../postmaster.ts';
import { isAlive, ownIdentity } from '../process-identity.ts';
import { serverFailure } from '../server-failure.ts';
import { serverArguments } from '../server-settings.ts';
import type { Hosting, Membership, ServerStart, StartedServer } from './hosting.ts';

/*
 * Windows has no named pipes in folders and no signals for a postmaster. Instead, every user creates a file with its
 * pid. A small detached Node process checks every second whether one of the users is alive. pg_ctl starts and stops the
 * server. pg_ctl also drops administrator rights, with which PostgreSQL refuses to run.
 */

const APPEAR_TIMEOUT_MS = 10_000;
const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 20;

const WATCH = `
const fs = require('node:fs'), path = require('node:path'), { spawnSync } = require('node:child_process');
const [users, pidFile, pid, pgCtl, data] = process.argv.slice(1);
const lives = (name) => { try { process.kill(Number(name.split('.')[0]), 0); return true; } catch (e) { return e.code === 'EPERM'; } };
const used = () => fs.readdirSync(users).some((name) => name !== 'stopping' && lives(name));
const serves = () => { try { return fs.readFileSync(pidFile, 'utf8').split('\\n')[0].trim() === pid; } catch { return false; } };
const timer = setInterval(() => {
  if (!serves()) return clearInterval(timer);
  if (used()) return;
  const mark = path.join(users, 'stopping');
  fs.writeFileSync(mark, pid);
  if (used()) return fs.rmSync(mark, { force: true });
  spawnSync(pgCtl, ['stop', '-m', 'fast', '-w', '-D', data], { windowsHide: true });
}, 1000);
`;

const usersFolder = ({ home }: EmbeddedFolder) => path.join(home, 'users');
const stoppingMark = (folder: EmbeddedFolder) => path.join(usersFolder(folder), 'stopping');

/** Runs servers on local TCP with a password. */
export const windowsHosting: Hosting = {
  findRunning: (folder) => Promise.resolve(findRunning(folder.data)),
  start: startWindows,
  join(folder) {
    const membership = register(folder);
    if (!existsSync(stoppingMark(folder))) return membership;
    membership.leave();
    return undefined;
  },
  hasUsers(folder) {
    if (!existsSync(usersFolder(folder))) return false;
    return readdirSync(usersFolder(folder)).some(isUser);
  },
  socketFolder: () => undefined,
};

/** Returns whether a file in the users' folder belongs to a live process. */
const isUser = (name: string) => isAlive({ pid: Number(name.split('.')[0]), started: '' });

function register(folder: EmbeddedFolder): Membership {
  mkdirSync(usersFolder(folder), { recursive: true });
  const file = path.join(usersFolder(folder), `${ownIdentity().pid}.${randomUUID()}`);
  writeFileSync(file, '');
  return { leave: () => rmSync(file, { force: true }) };
}

async function startWindows(folder: EmbeddedFolder, start: ServerStart): Promise<StartedServer> {
  mkdirSync(usersFolder(folder), { recursive: true });
  for (const name of readdirSync(usersFolder(folder)))
    if (!isUser(name)) rmSync(path.join(usersFolder(folder), name), { force: true });
  const membership = register(folder);
  const logFrom = statSync(folder.log, { throwIfNoEntry: false })?.size ?? 0;
  try {
    const settings = { ...start.settings, port: String(await freePort()) };
    const args = serverArguments({ socketFolder: undefined, durable: start.durable, settings });
    const quoted = args.map((arg) => `"${arg.replaceAll('"', '\\"')}"`).join(' ');
    const { pgCtl } = start.binaries;
    await runPgCtl(pgCtl, ['start', '-W', '-D', folder.data, '-l', folder.log, '-o', quoted]);
    const postmaster = await untilReady(folder);
    watch(folder, postmaster, pgCtl);
    return { postmaster, membership };
  } catch (cause) {
    membership.leave();
    throw serverFailure(folder, messageOf(cause), logFrom);
  }
}

/** Runs pg_ctl without pipes, because postgres would inherit them and keep them open. */
async function runPgCtl(pgCtl: string, args: string[]): Promise<void> {
  const [code] = (await once(spawn(pgCtl, args, { stdio: 'ignore', windowsHide: true }), 'exit')) as [number | null];
  if (code !== 0) throw new Error(`pg_ctl ${args[0]} exited with code ${code}`);
}

function watch(folder: EmbeddedFolder, { pid }: Postmaster, pgCtl: string): void {
  const pidFile = path.join(folder.data, 'postmaster.pid');
  const args = ['-e', WATCH, usersFolder(folder), pidFile, String(pid), pgCtl, folder.data];
  spawn(process.execPath, args, { detached: true, stdio: 'ignore', windowsHide: true }).unref();
}

async function untilReady({ data }: EmbeddedFolder): Promise<Postmaster> {
  const begun = performance.now();
  for (;;) {
    const postmaster = findRunning(data);
    if (postmaster?.status === 'ready') return postmaster;
    const waited = performance.now() - begun;
    if (!postmaster && waited > APPEAR_TIMEOUT_MS) throw new Error('it exited immediately');
    if (waited > READY_TIMEOUT_MS) throw new Error(`it was not ready after ${READY_TIMEOUT_MS / 1000} s`);
    await pause(POLL_MS);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
